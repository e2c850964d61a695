// Working memory that outlives a call: fresh pages from the system cost more than many a kernel's arithmetic.
#pragma once

#include <stddef.h>

namespace recsys {

class Scratch {
 public:
  // Holds whatever it held before.
  explicit Scratch(size_t floats);
  Scratch(const Scratch&) = delete;
  ~Scratch();
  float* data() { return data_; }

 private:
  float* data_;
  size_t room_;
};

}  // namespace recsys
