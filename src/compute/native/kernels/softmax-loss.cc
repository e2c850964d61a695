// Softmax cross-entropy over dot products, with its gradients, in chunks of rows whose logits stay in cache: the [N, C]
// logits are never in memory. The gradients are made in the forward pass, scaled by the rows' weights.
#include <algorithm>

#include "op.h"
#include "parallel.h"

namespace recsys {
namespace {

constexpr float kNever = -1e30f;

class SoftmaxLoss {
 public:
  explicit SoftmaxLoss(const Attributes& attributes) : indexed_(attributes.flag("indexed")) {}

  // Inputs: states [N, D], candidates [C, D], offset [C] (added to each candidate's logit), weights [N], targets [N], and, unless
  // the targets are indices into the candidates, the candidates' ids [C], the targets' vectors [N, D] and offsets [N].
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

    const int shards = c * width > 1 << 21 ? 2 : 8;
    const long chunk = std::max(16l, std::min(128l, (1l << 17) / c));
    std::vector<Matrix> sums(shards);
    std::vector<Eigen::ArrayXf> offset_sums(shards);
    const ConstRows all(candidates, c, width, Stride(width));
    parallel(shards, [&](int shard) {
      const Part part(live, shards, shard);
      Matrix logits(chunk, c);
      sums[shard].setZero(c, width);
      offset_sums[shard].setZero(c);
      for (long from = part.begin; from < part.end; from += chunk) {
        const long rows = std::min(chunk, part.end - from);
        const ConstRows h(states + from * width, rows, width, Stride(width));
        Rows dh(d_states + from * width, rows, width, Stride(width));
        auto p = logits.topRows(rows);
        p.noalias() = h * all.transpose();
        for (long r = 0; r < rows; r++) {
          const long i = from + r;
          float* row = &p(r, 0);
          auto values = Vector(row, c);
          values += offset;
          if (indexed_) {
            const float wanted = row[targets[i]], top = values.maxCoeff();
            values = (values - top).exp();
            const float sum = values.sum();
            loss[i] = top + std::log(sum) - wanted;
            values *= weights[i] / sum;
            row[targets[i]] -= weights[i];
          } else {
            const int32_t target = targets[i];
            for (long j = 0; j < c; j++) row[j] = ids[j] == target ? kNever : row[j];
            const ConstVector vector(target_vectors + i * width, width);
            const float wanted = (ConstVector(states + i * width, width) * vector).sum() + target_offsets[i];
            const float top = std::max(wanted, values.maxCoeff());
            values = (values - top).exp();
            const float share = std::exp(wanted - top), sum = values.sum() + share;
            loss[i] = top + std::log(sum) - wanted;
            values *= weights[i] / sum;
            d_target_offsets[i] = weights[i] * (share / sum - 1);
          }
        }
        dh.noalias() = p * all;
        sums[shard].noalias() += p.transpose() * h;
        offset_sums[shard] += p.colwise().sum().transpose().array();
        if (indexed_) continue;
        for (long i = from; i < from + rows; i++) {
          const ConstVector vector(target_vectors + i * width, width), state(states + i * width, width);
          Vector(d_states + i * width, width) += d_target_offsets[i] * vector;
          Vector(d_target_vectors + i * width, width) = d_target_offsets[i] * state;
        }
      }
    });
    Rows d_candidates(call.output(2, {c, width}), c, width, Stride(width));
    Vector d_offset(call.output(3, {c}), c);
    d_candidates = sums[0];
    d_offset = offset_sums[0];
    for (int shard = 1; shard < shards; shard++) {
      d_candidates += sums[shard];
      d_offset += offset_sums[shard];
    }
  }

 private:
  bool indexed_;
};

Registration<SoftmaxLoss> loss({"RecsysSoftmaxLoss",
                                {"states: float", "candidates: float", "offset: float", "weights: float", "targets: int32",
                                 "ids: int32", "target_vectors: float", "target_offsets: float"},
                                {"loss: float", "d_states: float", "d_candidates: float", "d_offset: float",
                                 "d_target_vectors: float", "d_target_offsets: float"},
                                {"indexed: bool"}});

}  // namespace
}  // namespace recsys
