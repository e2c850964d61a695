// A dense layer, y = x · w + bias and perhaps a ReLU, and its gradients in one pass over the rows: chunks stay in cache, and the
// sum over rows that makes dw is shared out by rows (libraries share out its rows and columns, of which there are few).
#include "bfloat16.h"
#include "float32.h"
#include "op.h"
#include "parallel.h"

namespace recsys {
namespace {

constexpr long kChunk = 128;

int shards_of(long rows) { return static_cast<int>(std::max(1l, std::min(16l, rows / kChunk))); }

class Linear {
 public:
  explicit Linear(const Attributes& attributes) : relu_(attributes.flag("relu")), bfloat16_(attributes.flag("rounded")) {}

  void run(Call& call) { bfloat16_ ? run<Bfloat16>(call) : run<Float32>(call); }

 private:
  template <class P>
  void run(Call& call) {
    const long n = call.dim(0, 0), in = call.dim(0, 1), out = call.dim(1, 1);
    const float* x = call.floats(0);
    typename P::Right w;
    w.set(call.floats(1), out, in, out);
    const Eigen::Map<const Eigen::RowVectorXf> bias(call.floats(2), out);
    float* y = call.output(0, {n, out});
    const int shards = shards_of(n);
    parallel(shards, [&](int shard) {
      const Part part(n, shards, shard);
      typename P::Left chunk_x;
      for (long from = part.begin; from < part.end; from += kChunk) {
        const long rows = std::min(kChunk, part.end - from);
        chunk_x.set(x + from * in, in, rows, in);
        P::multiply(chunk_x, w, 0, 0, out, y + from * out, out, false);
        Rows chunk(y + from * out, rows, out, Stride(out));
        chunk.rowwise() += bias;
        if (relu_) chunk = chunk.cwiseMax(0.0f);
      }
    });
  }

  bool relu_, bfloat16_;
};

class LinearGrad {
 public:
  explicit LinearGrad(const Attributes& attributes) : relu_(attributes.flag("relu")), bfloat16_(attributes.flag("rounded")) {}

  void run(Call& call) { bfloat16_ ? run<Bfloat16>(call) : run<Float32>(call); }

 private:
  template <class P>
  void run(Call& call) {
    const long n = call.dim(0, 0), in = call.dim(0, 1), out = call.dim(1, 1);
    const float *x = call.floats(0), *y = call.floats(2), *dy = call.floats(3);
    typename P::Right w_transposed;
    w_transposed.set_transposed(call.floats(1), out, out, in);
    float* dx = call.output(0, {n, in});
    const int shards = shards_of(n);
    std::vector<Matrix> dws(shards);
    std::vector<Eigen::RowVectorXf> dbs(shards);
    parallel(shards, [&](int shard) {
      const Part part(n, shards, shard);
      Matrix above(kChunk, out);
      typename P::Left d_rows, x_transposed;
      typename P::Right d_right;
      dws[shard].setZero(in, out);
      dbs[shard].setZero(out);
      for (long from = part.begin; from < part.end; from += kChunk) {
        const long rows = std::min(kChunk, part.end - from);
        auto d = above.topRows(rows);
        d = ConstRows(dy + from * out, rows, out, Stride(out));
        if (relu_) d.array() *= (ConstRows(y + from * out, rows, out, Stride(out)).array() > 0.0f).cast<float>();
        d_rows.set(above.data(), out, rows, out);
        P::multiply(d_rows, w_transposed, 0, 0, in, dx + from * in, in, false);
        x_transposed.set_transposed(x + from * in, in, in, rows);
        d_right.set(above.data(), out, rows, out);
        P::multiply(x_transposed, d_right, 0, 0, out, dws[shard].data(), out, true);
        dbs[shard] += d.colwise().sum();
      }
    });
    Rows dw(call.output(1, {in, out}), in, out, Stride(out));
    Eigen::Map<Eigen::RowVectorXf> db(call.output(2, {out}), out);
    dw = dws[0];
    db = dbs[0];
    for (int shard = 1; shard < shards; shard++) {
      dw += dws[shard];
      db += dbs[shard];
    }
  }

  bool relu_, bfloat16_;
};

Registration<Linear> forward({"RecsysLinear", {"x: float", "w: float", "bias: float"}, {"y: float"}, {"relu: bool", "rounded: bool"}});
Registration<LinearGrad> backward({"RecsysLinearGrad",
                                   {"x: float", "w: float", "y: float", "dy: float"},
                                   {"dx: float", "dw: float", "db: float"},
                                   {"relu: bool", "rounded: bool"}});

}  // namespace
}  // namespace recsys
