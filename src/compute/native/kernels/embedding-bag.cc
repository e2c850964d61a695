// Mean of the rows of a table that each line of ids names; id 0 names none.
#include <algorithm>

#include "op.h"
#include "parallel.h"
#include "scratch.h"

namespace recsys {
namespace {

// The ids of one line, and the weight of each in the mean.
struct Bag {
  Bag(const int32_t* ids, long size) : ids(ids), size(size) {
    for (long k = 0; k < size; k++) named += ids[k] != 0;
    share = named > 0 ? 1.0f / named : 0;
  }
  const int32_t* ids;
  long size, named = 0;
  float share;
};

class EmbeddingBag {
 public:
  explicit EmbeddingBag(const Attributes&) {}

  void run(Call& call) {
    const long width = call.dim(0, 1), lines = call.dim(1, 0), size = call.dim(1, 1);
    const float* table = call.floats(0);
    const int32_t* ids = call.ints(1);
    float* out = call.output(0, {lines, width});
    constexpr int kShards = 16;
    parallel(kShards, [&](int shard) {
      const Part part(lines, kShards, shard);
      for (long i = part.begin; i < part.end; i++) {
        const Bag bag(ids + i * size, size);
        Vector mean(out + i * width, width);
        mean.setZero();
        for (long k = 0; k < size; k++)
          if (bag.ids[k] != 0) mean += ConstVector(table + bag.ids[k] * width, width);
        mean *= bag.share;
      }
    });
  }
};

class EmbeddingBagGrad {
 public:
  explicit EmbeddingBagGrad(const Attributes&) {}

  // Of the table only the shape is read.
  void run(Call& call) {
    const long rows = call.dim(0, 0), width = call.dim(0, 1), lines = call.dim(1, 0), size = call.dim(1, 1);
    const int32_t* ids = call.ints(1);
    const float* above = call.floats(2);
    // Each shard has a table of its own.
    const int shards = rows * width > 1 << 20 ? 2 : 8;
    const long size_of_one = rows * width;
    Scratch sums(shards * size_of_one);
    parallel(shards, [&](int shard) {
      const Part part(lines, shards, shard);
      float* own = sums.data() + shard * size_of_one;
      std::fill(own, own + size_of_one, 0.0f);
      for (long i = part.begin; i < part.end; i++) {
        const Bag bag(ids + i * size, size);
        const ConstVector d(above + i * width, width);
        for (long k = 0; k < size; k++)
          if (bag.ids[k] != 0) Vector(own + bag.ids[k] * width, width) += bag.share * d;
      }
    });
    Vector gradient(call.output(0, {rows, width}), size_of_one);
    gradient = ConstVector(sums.data(), size_of_one);
    for (int shard = 1; shard < shards; shard++) gradient += ConstVector(sums.data() + shard * size_of_one, size_of_one);
  }
};

Registration<EmbeddingBag> forward({"RecsysEmbeddingBag", {"table: float", "ids: int32"}, {"mean: float"}, {}});
Registration<EmbeddingBagGrad> backward({"RecsysEmbeddingBagGrad",
                                         {"table: float", "ids: int32", "dmean: float"},
                                         {"dtable: float"},
                                         {}});

}  // namespace
}  // namespace recsys
