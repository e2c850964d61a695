// Included before the addon's own source. The addon hands JavaScript's buffers to TensorFlow without a copy and lets them go
// when TensorFlow drops its last reference; a variable that was assigned such a buffer drops it later, on a thread of
// TensorFlow's, where N-API must not be called, and its list of references is broken. So TensorFlow gets memory of its own
// (aligned as its kernels want it), and the buffer is let go at once, on the thread that gave it.
#include <string.h>

#include "tensorflow/c/c_api.h"

static TF_Tensor* NewOwnedTensor(TF_DataType dtype, const int64_t* shape, int rank, void* data, size_t bytes,
                                 void (*deallocate)(void* data, size_t bytes, void* argument), void* argument) {
  TF_Tensor* tensor = TF_AllocateTensor(dtype, shape, rank, bytes);
  if (tensor && bytes > 0) memcpy(TF_TensorData(tensor), data, bytes);
  deallocate(data, bytes, argument);
  return tensor;
}

#define TF_NewTensor NewOwnedTensor
