// Matrix products of float32 values, with the interface of bfloat16.h: factors are views and must outlive the product.
#pragma once

namespace recsys {

struct Float32 {
  class Factor {
   public:
    // x [rows × columns], rows `stride` apart.
    void set(const float* at, long apart, long rows_now, long columns_now) { look(at, apart, rows_now, columns_now, false); }
    // The transpose of x [columns × rows].
    void set_transposed(const float* at, long apart, long rows_now, long columns_now) { look(at, apart, rows_now, columns_now, true); }
    const float* x = nullptr;
    long stride = 0, rows = 0, columns = 0;
    bool transposed = false;

   private:
    void look(const float* at, long apart, long rows_now, long columns_now, bool turned) {
      x = at, stride = apart, rows = rows_now, columns = columns_now, transposed = turned;
    }
  };
  using Left = Factor;
  using Right = Factor;

  static void multiply(const Left& a, const Right& b, long b_row, long b_column, long columns, float* c, long stride, bool add);
};

}  // namespace recsys
