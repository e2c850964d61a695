// Attention, causal or not, without the [L, L] weights in memory (Dao et al. 2022, for a CPU's caches): rows are done in blocks that
// stay in cache, and the backward pass makes the weights again from the saved log of each row's sum.
#include <algorithm>

#include "bfloat16.h"
#include "float32.h"
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
  // Where the first event is, and whether some after it are absent.
  long first;
  bool gaps;
  // A row sees those before it, or all.
  bool causal;
  Mask mask;
  uint32_t base;

  Head(Call& call, long task, long heads, int32_t number, float rate, bool causal)
      : length(call.dim(0, 1)), width(call.dim(0, 2) / 3), batch(task / heads), head(task % heads),
        absent(call.floats(1) + batch * length), first(0), causal(causal), mask(call.ints(2), number, rate),
        base(static_cast<uint32_t>(task * length * length)) {
    depth = width / heads;
    scale = 1.0f / std::sqrt(static_cast<float>(depth));
    while (first < length && absent[first] != 0) first++;
    gaps = std::any_of(absent + first, absent + length, [](float x) { return x != 0; });
  }
  long stride() const { return 3 * width; }
  // Where part 0, 1, 2 (query, key, value) of row `i` lies.
  long at(int part, long i) const { return (batch * length + i) * 3 * width + part * width + head * depth; }
  ConstRows rows(const float* qkv, int part, long i, long n) const { return ConstRows(qkv + at(part, i), n, depth, Stride(stride())); }
  float kept(long i, long j) const { return mask.at(base + static_cast<uint32_t>(i * length + j)); }
  // The mask of row i, from the first event on.
  void kept(float* out, long i, long n) const { mask.fill(out, base + static_cast<uint32_t>(i * length + first), n); }

  // How many columns from the first event on rows [i, i + n) need.
  long columns(long i, long n) const { return (causal ? i + n : length) - first; }

  // Scales the logits of rows [i, i + n) for these columns; what a row may not see becomes kNever.
  void mask_logits(Matrix& logits, long i, long n) const {
    for (long r = 0; r < n; r++) {
      float* row = &logits(r, 0);
      const long own = i + r - first, seen = causal ? own + 1 : length - first;
      Vector(row, seen) *= scale;
      std::fill(row + seen, row + columns(i, n), kNever);
      if (!gaps) continue;
      const bool alone = !causal && absent[i + r] != 0;
      for (long j = 0; j < seen; j++)
        if (j != own && (alone || absent[first + j] != 0)) row[j] = kNever;
    }
  }
};

class Attention {
 public:
  explicit Attention(const Attributes& a)
      : heads_(a.integer("heads")), number_(a.integer("call")), rate_(a.number("rate")), causal_(a.flag("causal")),
        bfloat16_(a.flag("rounded")) {}

  void run(Call& call) { bfloat16_ ? run<Bfloat16>(call) : run<Float32>(call); }

 private:
  template <class P>
  void run(Call& call) {
    const float* qkv = call.floats(0);
    const long batch = call.dim(0, 0), length = call.dim(0, 1), width = call.dim(0, 2) / 3;
    float* out = call.output(0, {batch, length, width});
    float* sums = call.output(1, {batch, heads_, length});
    parallel(batch * heads_, [&](int task) {
      const Head head(call, task, heads_, number_, rate_, causal_);
      float* log_sums = sums + task * length;
      Rows mixed(out + head.batch * length * width + head.head * head.depth, length, head.depth, Stride(width));
      // Padding sees itself alone.
      for (long i = 0; i < head.first; i++) {
        mixed.row(i) = head.rows(qkv, 2, i, 1) * (rate_ > 0 ? head.kept(i, i) : 1.0f);
        log_sums[i] = 0;
      }
      if (head.first == length) return;
      const long present = length - head.first;
      typename P::Left queries, left;
      typename P::Right keys, values;
      keys.set_transposed(qkv + head.at(1, head.first), head.stride(), head.depth, present);
      values.set(qkv + head.at(2, head.first), head.stride(), present, head.depth);
      Matrix weights(kBlock, length);
      Eigen::ArrayXf kept(length);
      for (long i = head.first; i < length; i += kBlock) {
        const long n = std::min(kBlock, length - i), columns = head.columns(i, n);
        queries.set(qkv + head.at(0, i), head.stride(), n, head.depth);
        P::multiply(queries, keys, 0, 0, columns, weights.data(), length, false);
        head.mask_logits(weights, i, n);
        for (long r = 0; r < n; r++) {
          Vector row(&weights(r, 0), columns);
          const float top = row.maxCoeff();
          row = (row - top).exp();
          const float sum = row.sum();
          log_sums[i + r] = top + std::log(sum);
          row *= 1 / sum;
          if (rate_ > 0) {
            head.kept(kept.data(), i + r, columns);
            row *= kept.head(columns);
          }
        }
        left.set(weights.data(), length, n, columns);
        P::multiply(left, values, 0, 0, head.depth, mixed.data() + i * width, width, false);
      }
    });
  }

  int32_t heads_, number_;
  float rate_;
  bool causal_, bfloat16_;
};

class AttentionGrad {
 public:
  explicit AttentionGrad(const Attributes& a)
      : heads_(a.integer("heads")), number_(a.integer("call")), rate_(a.number("rate")), causal_(a.flag("causal")),
        bfloat16_(a.flag("rounded")) {}

  void run(Call& call) { bfloat16_ ? run<Bfloat16>(call) : run<Float32>(call); }

 private:
  template <class P>
  void run(Call& call) {
    const float *qkv = call.floats(0), *out = call.floats(3), *sums = call.floats(4), *above = call.floats(5);
    const long batch = call.dim(0, 0), length = call.dim(0, 1), width = call.dim(0, 2) / 3;
    float* gradient = call.output(0, {batch, length, 3 * width});
    parallel(batch * heads_, [&](int task) {
      const Head head(call, task, heads_, number_, rate_, causal_);
      const float* log_sums = sums + task * length;
      const long offset = head.batch * length * width + head.head * head.depth, depth = head.depth, first = head.first;
      const ConstRows o(out + offset, length, depth, Stride(width));
      const ConstRows d_out(above + offset, length, depth, Stride(width));
      auto into = [&](int part) { return Rows(gradient + head.at(part, 0), length, depth, Stride(head.stride())); };
      Rows dq = into(0), dk = into(1), dv = into(2);
      dq.topRows(first).setZero(), dk.topRows(first).setZero();
      for (long i = 0; i < first; i++) dv.row(i) = d_out.row(i) * (rate_ > 0 ? head.kept(i, i) : 1.0f);
      if (first == length) return;
      const long present = length - first;
      typename P::Left queries, queries_transposed, above_rows, above_transposed, left;
      typename P::Right keys, keys_transposed, values_transposed, right;
      keys.set(qkv + head.at(1, first), head.stride(), present, depth);
      keys_transposed.set_transposed(qkv + head.at(1, first), head.stride(), depth, present);
      values_transposed.set_transposed(qkv + head.at(2, first), head.stride(), depth, present);
      // Sums over rows, transposed: [depth × L].
      Matrix dk_sums = Matrix::Zero(depth, present), dv_sums = Matrix::Zero(depth, present);
      Matrix weights(kBlock, length), d_weights(kBlock, length), masks(kBlock, length);
      for (long i = first; i < length; i += kBlock) {
        const long n = std::min(kBlock, length - i), columns = head.columns(i, n);
        queries.set(qkv + head.at(0, i), head.stride(), n, depth);
        P::multiply(queries, keys_transposed, 0, 0, columns, weights.data(), length, false);
        head.mask_logits(weights, i, n);
        above_rows.set(d_out.data() + i * width, width, n, depth);
        P::multiply(above_rows, values_transposed, 0, 0, columns, d_weights.data(), length, false);
        for (long r = 0; r < n; r++) {
          Vector w(&weights(r, 0), columns), d(&d_weights(r, 0), columns), kept(&masks(r, 0), columns);
          w = (w - log_sums[i + r]).exp();
          const float along = d_out.row(i + r).dot(o.row(i + r));
          if (rate_ > 0) {
            head.kept(kept.data(), i + r, columns);
            d = w * (d * kept - along) * head.scale;
            w *= kept;
          } else {
            d = w * (d - along) * head.scale;
          }
        }
        above_transposed.set_transposed(d_out.data() + i * width, width, depth, n);
        right.set(weights.data(), length, n, columns);
        P::multiply(above_transposed, right, 0, 0, columns, dv_sums.data(), present, true);
        left.set(d_weights.data(), length, n, columns);
        P::multiply(left, keys, 0, 0, depth, dq.data() + i * head.stride(), head.stride(), false);
        queries_transposed.set_transposed(qkv + head.at(0, i), head.stride(), depth, n);
        right.set(d_weights.data(), length, n, columns);
        P::multiply(queries_transposed, right, 0, 0, columns, dk_sums.data(), present, true);
      }
      dk.bottomRows(present) = dk_sums.transpose();
      dv.bottomRows(present) = dv_sums.transpose();
    });
  }

  int32_t heads_, number_;
  float rate_;
  bool causal_, bfloat16_;
};

Registration<Attention> forward({"RecsysAttention",
                                 {"qkv: float", "absent: float", "seed: int32"},
                                 {"out: float", "log_sums: float"},
                                 {"heads: int", "rate: float", "call: int", "causal: bool", "rounded: bool"}});
Registration<AttentionGrad> backward({"RecsysAttentionGrad",
                                      {"qkv: float", "absent: float", "seed: int32", "out: float", "log_sums: float", "dout: float"},
                                      {"dqkv: float"},
                                      {"heads: int", "rate: float", "call: int", "causal: bool", "rounded: bool"}});

}  // namespace
}  // namespace recsys
