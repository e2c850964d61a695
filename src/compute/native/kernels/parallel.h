// Shares out a kernel's work. How work is cut into shards never depends on the number of threads, so neither do sums.
#pragma once

#include <functional>

namespace recsys {

// Runs work(0) … work(shards − 1), on the calling thread and the pool's, and returns when all are done.
void parallel(int shards, const std::function<void(int)>& work);

// The part of `total` that shard `i` of `shards` has.
struct Part {
  Part(long total, int shards, int i) : begin(total * i / shards), end(total * (i + 1) / shards) {}
  long begin, end;
};

}  // namespace recsys
