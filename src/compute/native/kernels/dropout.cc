// Inverted dropout: y = x · mask. The gradient is the same operation on dy.
#include "op.h"
#include "parallel.h"
#include "random.h"

namespace recsys {
namespace {

class Dropout {
 public:
  explicit Dropout(const Attributes& attributes)
      : rate_(attributes.number("rate")), call_(attributes.integer("call")) {}

  void run(Call& call) {
    const float* x = call.floats(0);
    const long size = call.size(0);
    const Mask mask(call.ints(1), call_, rate_);
    float* y = call.output(0, call.shape(0));
    const int shards = size < 1 << 14 ? 1 : 16;
    parallel(shards, [&](int shard) {
      const Part part(size, shards, shard);
      mask.apply(x + part.begin, y + part.begin, part.begin, part.end - part.begin);
    });
  }

 private:
  float rate_;
  int32_t call_;
};

Registration<Dropout> dropout({"RecsysDropout", {"x: float", "seed: int32"}, {"y: float"}, {"rate: float", "call: int"}});

}  // namespace
}  // namespace recsys
