// Dropout masks as a function of (seed, call, element): nothing is stored, the backward pass makes the same mask again.
#pragma once

#include <stdint.h>

namespace recsys {

class Mask {
 public:
  // `seed` is the step's two words, `call` tells the masks of one step apart.
  Mask(const int32_t* seed, int32_t call, float rate)
      : threshold_(static_cast<uint32_t>(rate * 4294967296.0)), keep_(1.0f / (1.0f - rate)) {
    uint64_t z = (static_cast<uint64_t>(static_cast<uint32_t>(seed[0])) << 32 | static_cast<uint32_t>(seed[1])) +
                 0x9e3779b97f4a7c15ull * (static_cast<uint64_t>(call) + 1);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    z ^= z >> 31;
    first_ = static_cast<uint32_t>(z);
    second_ = static_cast<uint32_t>(z >> 32);
  }
  // y[k] = x[k] · m(from + k), where m is 0 or 1 / (1 − rate).
  void apply(const float* __restrict x, float* __restrict y, uint32_t from, int count) const {
    const uint32_t first = first_ + from * kStep, second = second_, threshold = threshold_;
    const float keep = keep_;
    for (int k = 0; k < count; k++) {
      const uint32_t word = mix(mix(static_cast<uint32_t>(k) * kStep + first) ^ second);
      y[k] = x[k] * (word < threshold ? 0.0f : keep);
    }
  }
  // The mask itself.
  void fill(float* __restrict m, uint32_t from, int count) const {
    const uint32_t first = first_ + from * kStep, second = second_, threshold = threshold_;
    const float keep = keep_;
    for (int k = 0; k < count; k++)
      m[k] = mix(mix(static_cast<uint32_t>(k) * kStep + first) ^ second) < threshold ? 0.0f : keep;
  }
  float at(uint32_t element) const {
    float m;
    fill(&m, element, 1);
    return m;
  }

 private:
  static constexpr uint32_t kStep = 0x9e3779b9u;
  // A bijection of 32-bit words in which every input bit moves every output bit about half of the time.
  static uint32_t mix(uint32_t x) {
    x ^= x >> 16;
    x *= 0x7feb352du;
    x ^= x >> 15;
    x *= 0x846ca68bu;
    return x ^ (x >> 16);
  }
  uint32_t first_, second_, threshold_;
  float keep_;
};

}  // namespace recsys
