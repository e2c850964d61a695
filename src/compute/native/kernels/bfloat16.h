// Matrix products of bfloat16 values with float32 sums: in tiles (AMX) where the processor has them, else by pairs
// (AVX-512 BF16), else one by one. Inputs are rounded to the nearest bfloat16, ties to even.
#pragma once

#include <stdint.h>

#include <memory>

#include "scratch.h"

namespace recsys {

using bf16 = uint16_t;

// An array that is made of zeros.
class Bf16Buffer {
 public:
  void clear(long size);
  bf16* data() { return data_; }
  const bf16* data() const { return data_; }

 private:
  std::unique_ptr<Scratch> memory_;
  bf16* data_ = nullptr;
  long room_ = 0;
};

// Factors are copied when they are set.
struct Bfloat16 {
  // [rows × inner], row-major; rows are padded with zeros to 16, inner to 32.
  class Left {
   public:
    void set(const float* x, long stride, long rows, long inner);
    // The transpose of x [inner × rows].
    void set_transposed(const float* x, long stride, long rows, long inner);
    const bf16* row(long i) const { return buffer_.data() + i * width; }
    long rows = 0, width = 0;

   private:
    void shape(long rows, long inner);
    bf16* row(long i) { return buffer_.data() + i * width; }
    long inner_ = 0;
    Bf16Buffer buffer_;
  };

  // [inner × outer], in tiles of 32 × 16 with pairs of rows beside each other; padded with zeros.
  class Right {
   public:
    void set(const float* x, long stride, long inner, long outer);
    // The transpose of x [outer × inner].
    void set_transposed(const float* x, long stride, long inner, long outer);
    // The tile of rows 32 k … and columns 16 n ….
    const bf16* tile(long k, long n) const { return buffer_.data() + (n * depth_ + k) * 512; }

   private:
    void shape(long inner, long outer);
    bf16* tile(long k, long n) { return buffer_.data() + (n * depth_ + k) * 512; }
    long inner_ = 0, outer_ = 0, depth_ = 0;
    Bf16Buffer buffer_;
  };

  // c, rows `stride` apart: = a · b or, with `add`, += a · b; `b_row` (a multiple of 32) and `b_column` (of 16) are where the part
  // of b begins, `columns` how many are taken of it.
  static void multiply(const Left& a, const Right& b, long b_row, long b_column, long columns, float* c, long stride, bool add);
};

}  // namespace recsys
