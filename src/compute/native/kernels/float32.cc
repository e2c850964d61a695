#include "float32.h"

#include "op.h"

namespace recsys {

void Float32::multiply(const Left& a, const Right& b, long b_row, long b_column, long columns, float* c, long stride, bool add) {
  Rows out(c, a.rows, columns, Stride(stride));
  const float* from = b.x + (b.transposed ? b_column * b.stride + b_row : b_row * b.stride + b_column);
  const ConstRows left(a.x, a.transposed ? a.columns : a.rows, a.transposed ? a.rows : a.columns, Stride(a.stride));
  const ConstRows right(from, b.transposed ? columns : a.columns, b.transposed ? a.columns : columns, Stride(b.stride));
  const auto assign = [&](const auto& product) {
    if (add)
      out.noalias() += product;
    else
      out.noalias() = product;
  };
  if (a.transposed)
    b.transposed ? assign(left.transpose() * right.transpose()) : assign(left.transpose() * right);
  else
    b.transposed ? assign(left * right.transpose()) : assign(left * right);
}

}  // namespace recsys
