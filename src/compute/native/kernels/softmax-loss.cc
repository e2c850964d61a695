// Softmax cross-entropy over dot products, with its gradients, in chunks of rows whose logits stay in cache: the [N, C]
// logits are never in memory. The gradients are made in the forward pass, scaled by the rows' weights.
#include <algorithm>

#include "bfloat16.h"
#include "float32.h"
#include "op.h"
#include "parallel.h"
#include "scratch.h"

namespace recsys {
namespace {

constexpr float kNever = -1e30f;
// Of so many columns of the logits the gradients are made at a time.
constexpr long kColumns = 512;
// So many candidates' gradients are summed up at a time.
constexpr long kBlock = 64;

using Packet = Eigen::internal::packet_traits<float>::type;
constexpr long kLanes = Eigen::internal::packet_traits<float>::size;

// max (xⱼ + offsetⱼ).
float largest(const float* x, const float* offset, long n) {
  return (ConstVector(x, n) + ConstVector(offset, n)).maxCoeff();
}

// x ← exp(x + offset − top); gives the sum.
float exponentials(float* x, const float* offset, float top, long n) {
  using namespace Eigen::internal;
  const Packet tops = pset1<Packet>(top);
  Packet sums = pset1<Packet>(0);
  long j = 0;
  for (; j + kLanes <= n; j += kLanes) {
    const Packet e = pexp(psub(padd(ploadu<Packet>(x + j), ploadu<Packet>(offset + j)), tops));
    pstoreu(x + j, e);
    sums = padd(sums, e);
  }
  float sum = predux(sums);
  for (; j < n; j++) sum += x[j] = std::exp(x[j] + offset[j] - top);
  return sum;
}

class SoftmaxLoss {
 public:
  explicit SoftmaxLoss(const Attributes& attributes)
      : indexed_(attributes.flag("indexed")), bfloat16_(attributes.flag("rounded")) {}

  // Inputs: states [N, D], candidates [C, D], offset [C] (added to each candidate's logit), weights [N], targets [N], and, unless
  // the targets are indices into the candidates, the candidates' ids [C], the targets' vectors [N, D] and offsets [N].
  void run(Call& call) { bfloat16_ ? run<Bfloat16>(call) : run<Float32>(call); }

 private:
  template <class P>
  void run(Call& call) {
    const long n = call.dim(0, 0), width = call.dim(0, 1), c = call.dim(1, 0);
    const long own = indexed_ ? 0 : n;
    const float *states = call.floats(0), *candidates = call.floats(1), *weights = call.floats(3);
    const ConstVector offset(call.floats(2), c);
    const int32_t *targets = call.ints(4), *ids = call.ints(5);
    const float *target_vectors = call.floats(6), *target_offsets = call.floats(7);
    float* loss = call.output(0, {n});
    float* d_states = call.output(1, {n, width});
    float* d_target_vectors = call.output(4, {own, width});
    float* d_target_offsets = call.output(5, {own});

    // Rows of no weight at the end only fill the batch up.
    long live = n;
    while (live > 0 && weights[live - 1] == 0) live--;
    std::fill(loss + live, loss + n, 0.0f);
    std::fill(d_states + live * width, d_states + n * width, 0.0f);
    if (!indexed_) {
      std::fill(d_target_vectors + live * width, d_target_vectors + n * width, 0.0f);
      std::fill(d_target_offsets + live, d_target_offsets + n, 0.0f);
    }

    // A shard costs a sum over all candidates: it needs some hundred rows to be worth it.
    const int shards = c * width > 1 << 21 ? 2 : static_cast<int>(std::max(2l, std::min(8l, live / 256)));
    const long chunk = std::max(32l, std::min(128l, (1l << 17) / c / 32 * 32));
    // By shard: of the candidates' gradients, transposed, and below them the offsets', [D + 1, C].
    const long own_sums = (width + 1) * c;
    Scratch sums(shards * own_sums);
    typename P::Right all, all_transposed;
    all.set(candidates, width, c, width);
    all_transposed.set_transposed(candidates, width, width, c);
    parallel(shards, [&](int shard) {
      const Part part(live, shards, shard);
      Scratch scratch(chunk * c);
      Rows logits(scratch.data(), chunk, c, Stride(c));
      Matrix scaled(chunk, width + 1);
      typename P::Left h_left, scaled_transposed, p_left;
      typename P::Right p_right;
      float* shard_sums = sums.data() + shard * own_sums;
      std::fill(shard_sums, shard_sums + own_sums, 0.0f);
      for (long from = part.begin; from < part.end; from += chunk) {
        const long rows = std::min(chunk, part.end - from);
        h_left.set(states + from * width, width, rows, width);
        P::multiply(h_left, all_transposed, 0, 0, c, logits.data(), c, false);
        // Left in `logits` is what, times the row's scale, is its gradient: the scales go to the states, which are narrower.
        for (long r = 0; r < rows; r++) {
          const long i = from + r;
          float* row = &logits(r, 0);
          const ConstVector state(states + i * width, width);
          float wanted, top, sum;
          if (indexed_) {
            wanted = row[targets[i]] + offset[targets[i]];
            top = largest(row, offset.data(), c);
            sum = exponentials(row, offset.data(), top, c);
            row[targets[i]] -= sum;
          } else {
            for (long j = 0; j < c; j++) row[j] = ids[j] == targets[i] ? kNever : row[j];
            wanted = (state * ConstVector(target_vectors + i * width, width)).sum() + target_offsets[i];
            top = std::max(wanted, largest(row, offset.data(), c));
            const float share = std::exp(wanted - top);
            sum = exponentials(row, offset.data(), top, c) + share;
            d_target_offsets[i] = weights[i] * (share / sum - 1);
          }
          loss[i] = top + std::log(sum) - wanted;
          const float scale = weights[i] / sum;
          Vector(&scaled(r, 0), width) = state * scale;
          scaled(r, width) = scale;
        }
        scaled_transposed.set_transposed(scaled.data(), width + 1, width + 1, rows);
        for (long column = 0; column < c; column += kColumns) {
          const long columns = std::min(kColumns, c - column);
          p_left.set(&logits(0, column), c, rows, columns);
          p_right.set(&logits(0, column), c, rows, columns);
          P::multiply(p_left, all, column, 0, width, d_states + from * width, width, column > 0);
          P::multiply(scaled_transposed, p_right, 0, 0, columns, shard_sums + column, c, true);
        }
        for (long r = 0; r < rows; r++) {
          const long i = from + r;
          Vector d_state(d_states + i * width, width);
          d_state *= scaled(r, width);
          if (indexed_) continue;
          const ConstVector vector(target_vectors + i * width, width), state(states + i * width, width);
          d_state += d_target_offsets[i] * vector;
          Vector(d_target_vectors + i * width, width) = d_target_offsets[i] * state;
        }
      }
    });
    float *d_candidates = call.output(2, {c, width}), *d_offset = call.output(3, {c});
    parallel(static_cast<int>((c + kBlock - 1) / kBlock), [&](int block) {
      const long from = block * kBlock, columns = std::min(kBlock, c - from);
      Matrix total = Matrix::Zero(width + 1, columns);
      for (int shard = 0; shard < shards; shard++)
        total += ConstRows(sums.data() + shard * own_sums + from, width + 1, columns, Stride(c));
      Rows(d_candidates + from * width, columns, width, Stride(width)) = total.topRows(width).transpose();
      Vector(d_offset + from, columns) = total.row(width).array();
    });
  }

  bool indexed_, bfloat16_;
};

Registration<SoftmaxLoss> loss({"RecsysSoftmaxLoss",
                                {"states: float", "candidates: float", "offset: float", "weights: float", "targets: int32",
                                 "ids: int32", "target_vectors: float", "target_offsets: float"},
                                {"loss: float", "d_states: float", "d_candidates: float", "d_offset: float",
                                 "d_target_vectors: float", "d_target_offsets: float"},
                                {"indexed: bool", "rounded: bool"}});

}  // namespace
}  // namespace recsys
