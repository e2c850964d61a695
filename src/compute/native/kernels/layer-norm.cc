// Layer normalisation over the last axis: y = (x − mean) / √(variance + ε) · gain + bias.
#include "op.h"
#include "parallel.h"

namespace recsys {
namespace {

constexpr int kShards = 16;

struct Moments {
  Moments(const ConstVector& x, float epsilon) : mean(x.mean()) {
    scale = 1.0f / std::sqrt((x - mean).square().mean() + epsilon);
  }
  float mean, scale;
};

class LayerNorm {
 public:
  explicit LayerNorm(const Attributes& attributes) : epsilon_(attributes.number("epsilon")) {}

  void run(Call& call) {
    const long width = call.size(1), rows = call.size(0) / width;
    const float* x = call.floats(0);
    const ConstVector gain(call.floats(1), width), bias(call.floats(2), width);
    float* y = call.output(0, call.shape(0));
    parallel(kShards, [&](int shard) {
      const Part part(rows, kShards, shard);
      for (long i = part.begin; i < part.end; i++) {
        const ConstVector row(x + i * width, width);
        const Moments moments(row, epsilon_);
        Vector(y + i * width, width) = (row - moments.mean) * moments.scale * gain + bias;
      }
    });
  }

 private:
  float epsilon_;
};

class LayerNormGrad {
 public:
  explicit LayerNormGrad(const Attributes& attributes) : epsilon_(attributes.number("epsilon")) {}

  void run(Call& call) {
    const long width = call.size(1), rows = call.size(0) / width;
    const float *x = call.floats(0), *dy = call.floats(2);
    const ConstVector gain(call.floats(1), width);
    float* dx = call.output(0, call.shape(0));
    Eigen::ArrayXXf gains = Eigen::ArrayXXf::Zero(width, kShards), biases = Eigen::ArrayXXf::Zero(width, kShards);
    parallel(kShards, [&](int shard) {
      const Part part(rows, kShards, shard);
      Eigen::ArrayXf unit(width), g(width), sum_gain = Eigen::ArrayXf::Zero(width), sum_bias = sum_gain;
      for (long i = part.begin; i < part.end; i++) {
        const ConstVector row(x + i * width, width), above(dy + i * width, width);
        const Moments moments(row, epsilon_);
        unit = (row - moments.mean) * moments.scale;
        g = above * gain;
        sum_gain += above * unit;
        sum_bias += above;
        const float mean = g.mean(), along = (g * unit).mean();
        Vector(dx + i * width, width) = (g - mean - unit * along) * moments.scale;
      }
      gains.col(shard) = sum_gain;
      biases.col(shard) = sum_bias;
    });
    Vector(call.output(1, {width}), width) = gains.rowwise().sum();
    Vector(call.output(2, {width}), width) = biases.rowwise().sum();
  }

 private:
  float epsilon_;
};

Registration<LayerNorm> forward({"RecsysLayerNorm", {"x: float", "gain: float", "bias: float"}, {"y: float"}, {"epsilon: float"}});
Registration<LayerNormGrad> backward({"RecsysLayerNormGrad",
                                      {"x: float", "gain: float", "dy: float"},
                                      {"dx: float", "dgain: float", "dbias: float"},
                                      {"epsilon: float"}});

}  // namespace
}  // namespace recsys
