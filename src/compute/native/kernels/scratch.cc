#include "scratch.h"

#include <stdlib.h>

#include <algorithm>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

namespace recsys {
namespace {

// Free blocks by size. None is given back to the system.
struct Free {
  std::mutex mutex;
  std::vector<std::pair<size_t, float*>> blocks;
};

Free& free_blocks() {
  // Never destroyed: threads of the pool outlive static objects.
  static Free* blocks = new Free();
  return *blocks;
}

}  // namespace

Scratch::Scratch(size_t floats) : data_(nullptr), room_(floats) {
  Free& free = free_blocks();
  {
    std::lock_guard<std::mutex> lock(free.mutex);
    const auto fits = std::lower_bound(free.blocks.begin(), free.blocks.end(), std::make_pair(floats, static_cast<float*>(nullptr)));
    // A block far too large is left to those that need it.
    if (fits != free.blocks.end() && fits->first <= 2 * floats + 4096) {
      room_ = fits->first, data_ = fits->second;
      free.blocks.erase(fits);
    }
  }
  if (!data_) data_ = static_cast<float*>(aligned_alloc(64, (room_ * sizeof(float) + 63) / 64 * 64));
  if (!data_) throw std::bad_alloc();
}

Scratch::~Scratch() {
  Free& free = free_blocks();
  std::lock_guard<std::mutex> lock(free.mutex);
  const auto block = std::make_pair(room_, data_);
  free.blocks.insert(std::lower_bound(free.blocks.begin(), free.blocks.end(), block), block);
}

}  // namespace recsys
