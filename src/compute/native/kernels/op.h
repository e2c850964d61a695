// What the kernels share: reading inputs, making outputs, and registering an operation through TensorFlow's C interface.
#pragma once

#include <stdint.h>

#include <Eigen/Dense>
#include <initializer_list>
#include <vector>

#include "tensorflow/c/kernels.h"
#include "tensorflow/c/ops.h"

namespace recsys {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;
using Stride = Eigen::OuterStride<>;
using Rows = Eigen::Map<Matrix, 0, Stride>;
using ConstRows = Eigen::Map<const Matrix, 0, Stride>;
using Vector = Eigen::Map<Eigen::ArrayXf>;
using ConstVector = Eigen::Map<const Eigen::ArrayXf>;

// Attributes of one node, read when its kernel is made.
class Attributes {
 public:
  explicit Attributes(TF_OpKernelConstruction* construction) : construction_(construction) {}
  float number(const char* name) const {
    float value = 0;
    Status status;
    TF_OpKernelConstruction_GetAttrFloat(construction_, name, &value, status.get());
    return value;
  }
  int32_t integer(const char* name) const {
    int32_t value = 0;
    Status status;
    TF_OpKernelConstruction_GetAttrInt32(construction_, name, &value, status.get());
    return value;
  }
  bool flag(const char* name) const {
    TF_Bool value = 0;
    Status status;
    TF_OpKernelConstruction_GetAttrBool(construction_, name, &value, status.get());
    return value != 0;
  }
  struct Status {
    TF_Status* status = TF_NewStatus();
    ~Status() { TF_DeleteStatus(status); }
    TF_Status* get() { return status; }
  };

 private:
  TF_OpKernelConstruction* construction_;
};

// Inputs and outputs of one call.
class Call {
 public:
  // All inputs are taken at once: shards read them side by side.
  explicit Call(TF_OpKernelContext* context) : context_(context), inputs_(TF_NumInputs(context), nullptr) {
    for (size_t i = 0; i < inputs_.size(); i++) TF_GetInput(context, i, &inputs_[i], status_.get());
  }
  Call(const Call&) = delete;
  ~Call() {
    for (TF_Tensor* t : inputs_) TF_DeleteTensor(t);
    for (TF_Tensor* t : outputs_) TF_DeleteTensor(t);
  }
  const float* floats(int i) { return static_cast<const float*>(TF_TensorData(input(i))); }
  const int32_t* ints(int i) { return static_cast<const int32_t*>(TF_TensorData(input(i))); }
  int64_t size(int i) { return TF_TensorElementCount(input(i)); }
  int64_t dim(int i, int axis) { return TF_Dim(input(i), axis); }
  std::vector<int64_t> shape(int i) {
    std::vector<int64_t> dims(TF_NumDims(input(i)));
    for (size_t k = 0; k < dims.size(); k++) dims[k] = TF_Dim(input(i), k);
    return dims;
  }
  float* output(int i, const std::vector<int64_t>& shape) {
    size_t bytes = sizeof(float);
    for (int64_t d : shape) bytes *= d;
    TF_Tensor* t = TF_AllocateOutput(context_, i, TF_FLOAT, shape.data(), shape.size(), bytes, status_.get());
    outputs_.push_back(t);
    return static_cast<float*>(TF_TensorData(t));
  }

 private:
  TF_Tensor* input(int i) { return inputs_[i]; }
  TF_OpKernelContext* context_;
  Attributes::Status status_;
  std::vector<TF_Tensor*> inputs_;
  std::vector<TF_Tensor*> outputs_;
};

struct Signature {
  const char* name;
  std::initializer_list<const char*> inputs, outputs, attributes;
};

// Registers an operation and its CPU kernel: a class made from Attributes, with run(Call&).
template <class Kernel>
struct Registration {
  explicit Registration(const Signature& signature) {
    Attributes::Status status;
    TF_OpDefinitionBuilder* op = TF_NewOpDefinitionBuilder(signature.name);
    for (const char* text : signature.inputs) TF_OpDefinitionBuilderAddInput(op, text);
    for (const char* text : signature.outputs) TF_OpDefinitionBuilderAddOutput(op, text);
    for (const char* text : signature.attributes) TF_OpDefinitionBuilderAddAttr(op, text);
    TF_OpDefinitionBuilderSetShapeInferenceFunction(op, &TF_ShapeInferenceContextSetUnknownShape);
    TF_RegisterOpDefinition(op, status.get());
    TF_KernelBuilder* kernel = TF_NewKernelBuilder(signature.name, "CPU", &create, &compute, &destroy);
    TF_RegisterKernelBuilder(signature.name, kernel, status.get());
  }
  static void* create(TF_OpKernelConstruction* construction) { return new Kernel(Attributes(construction)); }
  static void compute(void* kernel, TF_OpKernelContext* context) {
    Call call(context);
    static_cast<Kernel*>(kernel)->run(call);
  }
  static void destroy(void* kernel) { delete static_cast<Kernel*>(kernel); }
};

}  // namespace recsys
