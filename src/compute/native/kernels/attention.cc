// Causal attention without the [L, L] weights in memory (Dao et al. 2022, for a CPU's caches): rows are done in blocks that
// stay in cache, and the backward pass makes the weights again from the saved log of each row's sum.
#include "op.h"
#include "parallel.h"
#include "random.h"

namespace recsys {
namespace {

constexpr long kBlock = 64;
constexpr float kNever = -1e30f;

// The sizes, and one head of one history within qkv [B, L, 3 · heads · depth].
struct Head {
  long length, depth, width, batch, head;
  float scale;
  const float* absent;
  long first;
  Mask mask;
  uint32_t base;

  Head(Call& call, long task, long heads, int32_t number, float rate)
      : length(call.dim(0, 1)), width(call.dim(0, 2) / 3), batch(task / heads), head(task % heads),
        absent(call.floats(1) + batch * length), first(0), mask(call.ints(2), number, rate),
        base(static_cast<uint32_t>(task * length * length)) {
    depth = width / heads;
    scale = 1.0f / std::sqrt(static_cast<float>(depth));
    while (first < length && absent[first] != 0) first++;
  }
  // Where part 0, 1, 2 (query, key, value) of row `i` lies.
  long at(int part, long i) const { return (batch * length + i) * 3 * width + part * width + head * depth; }
  ConstRows rows(const float* qkv, int part, long i, long n) const {
    return ConstRows(qkv + at(part, i), n, depth, Stride(3 * width));
  }
  // A position sees itself and what is present before it.
  bool sees(long i, long j) const { return j == i || (j < i && absent[j] == 0); }
  float kept(long i, long j) const { return mask.at(base + static_cast<uint32_t>(i * length + j)); }

  // Logits of rows [i, i + n) for columns [first, i + n); what a row may not see is kNever.
  template <class Block>
  void logits(const float* qkv, long i, long n, Block&& out) const {
    out.noalias() = rows(qkv, 0, i, n) * rows(qkv, 1, first, i + n - first).transpose();
    out *= scale;
    for (long r = 0; r < n; r++)
      for (long j = first; j < i + n; j++)
        if (!sees(i + r, j)) out(r, j - first) = kNever;
  }
};

class Attention {
 public:
  explicit Attention(const Attributes& a) : heads_(a.integer("heads")), number_(a.integer("call")), rate_(a.number("rate")) {}

  void run(Call& call) {
    const float* qkv = call.floats(0);
    const long batch = call.dim(0, 0), length = call.dim(0, 1), width = call.dim(0, 2) / 3;
    float* out = call.output(0, {batch, length, width});
    float* sums = call.output(1, {batch, heads_, length});
    parallel(batch * heads_, [&](int task) {
      const Head head(call, task, heads_, number_, rate_);
      float* log_sums = sums + task * length;
      Rows mixed(out + head.batch * length * width + head.head * head.depth, length, head.depth, Stride(width));
      // Padding sees itself alone.
      for (long i = 0; i < head.first; i++) {
        mixed.row(i) = head.rows(qkv, 2, i, 1) * (rate_ > 0 ? head.kept(i, i) : 1.0f);
        log_sums[i] = 0;
      }
      Matrix scratch(kBlock, length);
      Eigen::ArrayXf kept(length);
      for (long i = head.first; i < length; i += kBlock) {
        const long n = std::min(kBlock, length - i), columns = i + n - head.first;
        auto weights = scratch.block(0, 0, n, columns);
        head.logits(qkv, i, n, weights);
        for (long r = 0; r < n; r++) {
          auto row = weights.row(r).array();
          const float top = row.maxCoeff();
          row = (row - top).exp();
          const float sum = row.sum();
          log_sums[i + r] = top + std::log(sum);
          if (rate_ > 0) {
            row /= sum;
            const uint32_t from = head.base + static_cast<uint32_t>((i + r) * length + head.first);
            head.mask.fill(kept.data(), from, columns);
            row *= kept.head(columns).transpose();
          } else {
            row /= sum;
          }
        }
        mixed.middleRows(i, n).noalias() = weights * head.rows(qkv, 2, head.first, columns);
      }
    });
  }

 private:
  int32_t heads_, number_;
  float rate_;
};

class AttentionGrad {
 public:
  explicit AttentionGrad(const Attributes& a) : heads_(a.integer("heads")), number_(a.integer("call")), rate_(a.number("rate")) {}

  void run(Call& call) {
    const float *qkv = call.floats(0), *out = call.floats(3), *sums = call.floats(4), *above = call.floats(5);
    const long batch = call.dim(0, 0), length = call.dim(0, 1), width = call.dim(0, 2) / 3;
    float* gradient = call.output(0, {batch, length, 3 * width});
    parallel(batch * heads_, [&](int task) {
      const Head head(call, task, heads_, number_, rate_);
      const float* log_sums = sums + task * length;
      const long offset = head.batch * length * width + head.head * head.depth;
      const ConstRows o(out + offset, length, head.depth, Stride(width));
      const ConstRows d_out(above + offset, length, head.depth, Stride(width));
      auto into = [&](int part) { return Rows(gradient + head.at(part, 0), length, head.depth, Stride(3 * width)); };
      Rows dq = into(0), dk = into(1), dv = into(2);
      dq.setZero(), dk.setZero(), dv.setZero();
      for (long i = 0; i < head.first; i++) dv.row(i) = d_out.row(i) * (rate_ > 0 ? head.kept(i, i) : 1.0f);
      Matrix scratch(kBlock, length), other(kBlock, length), masks(kBlock, length);
      for (long i = head.first; i < length; i += kBlock) {
        const long n = std::min(kBlock, length - i), columns = i + n - head.first;
        auto weights = scratch.block(0, 0, n, columns);
        auto d_weights = other.block(0, 0, n, columns);
        auto kept = masks.block(0, 0, n, columns);
        head.logits(qkv, i, n, weights);
        for (long r = 0; r < n; r++) weights.row(r) = (weights.row(r).array() - log_sums[i + r]).exp();
        d_weights.noalias() = d_out.middleRows(i, n) * head.rows(qkv, 2, head.first, columns).transpose();
        if (rate_ > 0) {
          for (long r = 0; r < n; r++) {
            const uint32_t from = head.base + static_cast<uint32_t>((i + r) * length + head.first);
            head.mask.fill(&kept(r, 0), from, columns);
          }
          d_weights.array() *= kept.array();
          kept.array() *= weights.array();
          dv.middleRows(head.first, columns).noalias() += kept.transpose() * d_out.middleRows(i, n);
        } else {
          dv.middleRows(head.first, columns).noalias() += weights.transpose() * d_out.middleRows(i, n);
        }
        for (long r = 0; r < n; r++) {
          const float along = d_out.row(i + r).dot(o.row(i + r));
          d_weights.row(r) = weights.row(r).array() * (d_weights.row(r).array() - along) * head.scale;
        }
        dq.middleRows(i, n).noalias() = d_weights * head.rows(qkv, 1, head.first, columns);
        dk.middleRows(head.first, columns).noalias() += d_weights.transpose() * head.rows(qkv, 0, i, n);
      }
    });
  }

 private:
  int32_t heads_, number_;
  float rate_;
};

Registration<Attention> forward({"RecsysAttention",
                                 {"qkv: float", "absent: float", "seed: int32"},
                                 {"out: float", "log_sums: float"},
                                 {"heads: int", "rate: float", "call: int"}});
Registration<AttentionGrad> backward({"RecsysAttentionGrad",
                                      {"qkv: float", "absent: float", "seed: int32", "out: float", "log_sums: float", "dout: float"},
                                      {"dqkv: float"},
                                      {"heads: int", "rate: float", "call: int"}});

}  // namespace
}  // namespace recsys
