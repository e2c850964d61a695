// Dot products of each state with candidates of its own, named by their rows of a table of all vectors.
#include <algorithm>

#include "op.h"
#include "parallel.h"
#include "scratch.h"

namespace recsys {
namespace {

class OwnLogits {
 public:
  explicit OwnLogits(const Attributes&) {}

  // Inputs: states [N, D], vectors [V, D], offset [V], ids [N, C].
  void run(Call& call) {
    const long n = call.dim(0, 0), width = call.dim(0, 1), size = call.dim(3, 1);
    const float *states = call.floats(0), *vectors = call.floats(1), *offset = call.floats(2);
    const int32_t* ids = call.ints(3);
    float* out = call.output(0, {n, size});
    constexpr int kShards = 16;
    parallel(kShards, [&](int shard) {
      const Part part(n, kShards, shard);
      for (long i = part.begin; i < part.end; i++) {
        const ConstVector state(states + i * width, width);
        for (long k = i * size; k < (i + 1) * size; k++)
          out[k] = (state * ConstVector(vectors + ids[k] * width, width)).sum() + offset[ids[k]];
      }
    });
  }
};

class OwnLogitsGrad {
 public:
  explicit OwnLogitsGrad(const Attributes&) {}

  // Inputs: as above, without the offset, and the gradient of the logits [N, C].
  void run(Call& call) {
    const long n = call.dim(0, 0), width = call.dim(0, 1), rows = call.dim(1, 0), size = call.dim(2, 1);
    const float *states = call.floats(0), *vectors = call.floats(1), *above = call.floats(3);
    const int32_t* ids = call.ints(2);
    float* d_states = call.output(0, {n, width});
    // Each shard has sums of its own, the offset's behind those of the vectors.
    const int shards = rows * width > 1 << 20 ? 2 : 8;
    const long own_sums = rows * (width + 1);
    Scratch sums(shards * own_sums);
    parallel(shards, [&](int shard) {
      const Part part(n, shards, shard);
      float* own = sums.data() + shard * own_sums;
      float* own_offset = own + rows * width;
      std::fill(own, own + own_sums, 0.0f);
      for (long i = part.begin; i < part.end; i++) {
        const ConstVector state(states + i * width, width);
        Vector d_state(d_states + i * width, width);
        d_state.setZero();
        for (long k = i * size; k < (i + 1) * size; k++) {
          if (above[k] == 0) continue;
          d_state += above[k] * ConstVector(vectors + ids[k] * width, width);
          Vector(own + ids[k] * width, width) += above[k] * state;
          own_offset[ids[k]] += above[k];
        }
      }
    });
    Vector total(sums.data(), own_sums);
    for (int shard = 1; shard < shards; shard++) total += ConstVector(sums.data() + shard * own_sums, own_sums);
    Vector(call.output(1, {rows, width}), rows * width) = total.head(rows * width);
    Vector(call.output(2, {rows}), rows) = total.tail(rows);
  }
};

Registration<OwnLogits> forward({"RecsysOwnLogits",
                                 {"states: float", "vectors: float", "offset: float", "ids: int32"},
                                 {"logits: float"},
                                 {}});
Registration<OwnLogitsGrad> backward({"RecsysOwnLogitsGrad",
                                      {"states: float", "vectors: float", "ids: int32", "dlogits: float"},
                                      {"d_states: float", "d_vectors: float", "d_offset: float"},
                                      {}});

}  // namespace
}  // namespace recsys
