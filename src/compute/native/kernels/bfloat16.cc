#include "bfloat16.h"

#include <string.h>

#include <algorithm>

#if defined(__AVX512BF16__) && defined(__AVX512BW__) && defined(__AVX512VL__)
#define RECSYS_PAIRS 1
#include <immintrin.h>
#endif
#if defined(RECSYS_PAIRS) && defined(__AMX_BF16__) && defined(__linux__)
#define RECSYS_TILES 1
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace recsys {
namespace {

long up(long n, long multiple) { return (n + multiple - 1) / multiple * multiple; }

uint32_t bits(float x) {
  uint32_t u;
  memcpy(&u, &x, 4);
  return u;
}

bf16 round(float x) {
  const uint32_t u = bits(x);
  if ((u & 0x7fffffffu) > 0x7f800000u) return static_cast<bf16>(u >> 16 | 0x40);
  return static_cast<bf16>((u + 0x7fffu + (u >> 16 & 1)) >> 16);
}

void round_row(const float* x, bf16* out, long n) {
  long i = 0;
#ifdef RECSYS_PAIRS
  for (; i + 16 <= n; i += 16)
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(out + i), (__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(x + i)));
#endif
  for (; i < n; i++) out[i] = round(x[i]);
}

// Two rows, an element of each beside each other: 2n values.
void round_pairs(const float* even, const float* odd, bf16* out, long n) {
  long i = 0;
#ifdef RECSYS_PAIRS
  for (; i + 16 <= n; i += 16) {
    const __m512i low = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(even + i)));
    __m512i both = low;
    if (odd) {
      const __m512i high = _mm512_cvtepu16_epi32((__m256i)_mm512_cvtneps_pbh(_mm512_loadu_ps(odd + i)));
      both = _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
    }
    _mm512_storeu_si512(out + 2 * i, both);
  }
#endif
  for (; i < n; i++) {
    out[2 * i] = round(even[i]);
    out[2 * i + 1] = odd ? round(odd[i]) : 0;
  }
}

#ifdef RECSYS_TILES
struct TileConfig {
  uint8_t palette = 1, start = 0, reserved[14] = {};
  uint16_t bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};

// Linux gives a process its tile registers when it asks for them.
bool ask_for_tiles() { return syscall(SYS_arch_prctl, 0x1023, 18) == 0; }

bool has_tiles() {
  static const bool given = ask_for_tiles();
  return given;
}

// The tiles' shapes while one product is made: other libraries set their own on the same threads.
class TileShapes {
 public:
  TileShapes() : used_(has_tiles()) {
    static const TileConfig config;
    if (used_) _tile_loadconfig(&config);
  }
  ~TileShapes() {
    if (used_) _tile_release();
  }

 private:
  bool used_;
};
#endif

// c [16 r × 16 s] = or += a · b with r, s in {1, 2}; `depth` steps of 32.
struct Block {
  const bf16* a;
  long a_width;
  const bf16 *b0, *b1;
  long depth;
  float *c00, *c01, *c10, *c11;
  long stride;
  bool add;
};

#ifdef RECSYS_TILES
template <bool kTwoRows, bool kTwoColumns>
void multiply_tiles(const Block& t) {
  const long stride = t.stride * 4, a_stride = t.a_width * 2;
  if (t.add) {
    _tile_loadd(0, t.c00, stride);
    if (kTwoColumns) _tile_loadd(1, t.c01, stride);
    if (kTwoRows) _tile_loadd(2, t.c10, stride);
    if (kTwoRows && kTwoColumns) _tile_loadd(3, t.c11, stride);
  } else {
    _tile_zero(0);
    _tile_zero(1);
    _tile_zero(2);
    _tile_zero(3);
  }
  for (long k = 0; k < t.depth; k++) {
    _tile_loadd(4, t.a + k * 32, a_stride);
    _tile_loadd(6, t.b0 + k * 512, 64);
    _tile_dpbf16ps(0, 4, 6);
    if (kTwoColumns) {
      _tile_loadd(7, t.b1 + k * 512, 64);
      _tile_dpbf16ps(1, 4, 7);
    }
    if (kTwoRows) {
      _tile_loadd(5, t.a + 16 * t.a_width + k * 32, a_stride);
      _tile_dpbf16ps(2, 5, 6);
      if (kTwoColumns) _tile_dpbf16ps(3, 5, 7);
    }
  }
  _tile_stored(0, t.c00, stride);
  if (kTwoColumns) _tile_stored(1, t.c01, stride);
  if (kTwoRows) _tile_stored(2, t.c10, stride);
  if (kTwoRows && kTwoColumns) _tile_stored(3, t.c11, stride);
}
#endif

// c [16 × 16].
void multiply_rows(const bf16* a, long a_width, const bf16* b, long depth, float* c, long stride, bool add) {
  for (long from = 0; from < 16; from += 8) {
#ifdef RECSYS_PAIRS
    __m512 sums[8];
    for (int r = 0; r < 8; r++) sums[r] = add ? _mm512_loadu_ps(c + (from + r) * stride) : _mm512_setzero_ps();
    for (long k = 0; k < depth * 16; k++) {
      const __m512bh right = (__m512bh)_mm512_loadu_si512(b + k * 32);
      for (int r = 0; r < 8; r++) {
        int32_t pair;
        memcpy(&pair, a + (from + r) * a_width + 2 * k, 4);
        sums[r] = _mm512_dpbf16_ps(sums[r], (__m512bh)_mm512_set1_epi32(pair), right);
      }
    }
    for (int r = 0; r < 8; r++) _mm512_storeu_ps(c + (from + r) * stride, sums[r]);
#else
    const auto value = [](bf16 x) {
      const uint32_t u = static_cast<uint32_t>(x) << 16;
      float f;
      memcpy(&f, &u, 4);
      return f;
    };
    for (int r = 0; r < 8; r++) {
      float* row = c + (from + r) * stride;
      float sums[16];
      for (int j = 0; j < 16; j++) sums[j] = add ? row[j] : 0;
      for (long k = 0; k < depth * 16; k++)
        for (int half = 0; half < 2; half++) {
          const float left = value(a[(from + r) * a_width + 2 * k + half]);
          for (int j = 0; j < 16; j++) sums[j] += left * value(b[k * 32 + 2 * j + half]);
        }
      for (int j = 0; j < 16; j++) row[j] = sums[j];
    }
#endif
  }
}

void multiply_block(const Block& t, bool two_rows, bool two_columns) {
#ifdef RECSYS_TILES
  if (has_tiles()) {
    if (two_rows)
      two_columns ? multiply_tiles<true, true>(t) : multiply_tiles<true, false>(t);
    else
      two_columns ? multiply_tiles<false, true>(t) : multiply_tiles<false, false>(t);
    return;
  }
#endif
  const bf16* below = t.a + 16 * t.a_width;
  multiply_rows(t.a, t.a_width, t.b0, t.depth, t.c00, t.stride, t.add);
  if (two_columns) multiply_rows(t.a, t.a_width, t.b1, t.depth, t.c01, t.stride, t.add);
  if (two_rows) multiply_rows(below, t.a_width, t.b0, t.depth, t.c10, t.stride, t.add);
  if (two_rows && two_columns) multiply_rows(below, t.a_width, t.b1, t.depth, t.c11, t.stride, t.add);
}

}  // namespace

void Bf16Buffer::clear(long size) {
  if (size > room_) {
    room_ = up(size, 32);
    memory_.reset();
    memory_ = std::make_unique<Scratch>(room_ / 2);
    data_ = reinterpret_cast<bf16*>(memory_->data());
  }
  memset(data_, 0, size * sizeof(bf16));
}

void Bfloat16::Left::shape(long rows_now, long inner) {
  if (rows == rows_now && inner_ == inner) return;
  rows = rows_now, inner_ = inner, width = up(inner, 32);
  buffer_.clear(up(rows, 16) * width);
}

void Bfloat16::Left::set(const float* x, long stride, long rows_now, long inner) {
  shape(rows_now, inner);
  for (long i = 0; i < rows; i++) round_row(x + i * stride, row(i), inner);
}

void Bfloat16::Left::set_transposed(const float* x, long stride, long rows_now, long inner) {
  shape(rows_now, inner);
  bf16 pairs[2 * 64];
  for (long k = 0; k < inner; k += 2)
    for (long from = 0; from < rows; from += 64) {
      const long n = std::min(64l, rows - from);
      const float* even = x + k * stride + from;
      round_pairs(even, k + 1 < inner ? even + stride : nullptr, pairs, n);
      for (long i = 0; i < n; i++) memcpy(row(from + i) + k, pairs + 2 * i, 4);
    }
}

void Bfloat16::Right::shape(long inner, long outer) {
  if (inner_ == inner && outer_ == outer) return;
  inner_ = inner, outer_ = outer, depth_ = up(inner, 32) / 32;
  buffer_.clear(up(outer, 16) * depth_ * 32);
}

void Bfloat16::Right::set(const float* x, long stride, long inner, long outer) {
  shape(inner, outer);
  for (long k = 0; k < inner; k += 2)
    for (long j = 0; j < outer; j += 16) {
      const float* even = x + k * stride + j;
      bf16* into = tile(k / 32, j / 16) + k % 32 * 16;
      round_pairs(even, k + 1 < inner ? even + stride : nullptr, into, std::min(16l, outer - j));
    }
}

void Bfloat16::Right::set_transposed(const float* x, long stride, long inner, long outer) {
  shape(inner, outer);
  bf16 part[32] = {};
  for (long j = 0; j < outer; j++)
    for (long k = 0; k < inner; k += 32) {
      const long n = std::min(32l, inner - k);
      if (n < 32) memset(part, 0, sizeof part);
      round_row(x + j * stride + k, part, n);
      bf16* into = tile(k / 32, j / 16) + j % 16 * 2;
      for (int p = 0; p < 16; p++) memcpy(into + 32 * p, part + 2 * p, 4);
    }
}

void Bfloat16::multiply(const Left& a, const Right& b, long b_row, long b_column, long columns, float* c, long stride,
                        bool add) {
#ifdef RECSYS_TILES
  const TileShapes shapes;
#endif
  for (long i = 0; i < a.rows; i += 32) {
    const bool two_rows = a.rows - i > 16;
    for (long j = 0; j < columns; j += 32) {
      const bool two_columns = columns - j > 16;
      const long k = b_row / 32, n = (b_column + j) / 16;
      const long rows = std::min(32l, a.rows - i), wide = std::min(32l, columns - j);
      float* at = c + i * stride + j;
      float edge[32 * 32];
      const bool whole = rows % 16 == 0 && wide % 16 == 0;
      float* to = whole ? at : edge;
      const long apart = whole ? stride : 32;
      if (!whole && add)
        for (long r = 0; r < rows; r++) memcpy(edge + 32 * r, at + r * stride, wide * sizeof(float));
      const Block block{a.row(i), a.width, b.tile(k, n), two_columns ? b.tile(k, n + 1) : nullptr, a.width / 32,
                        to, to + 16, to + 16 * apart, to + 16 * apart + 16, apart, add};
      multiply_block(block, two_rows, two_columns);
      if (!whole)
        for (long r = 0; r < rows; r++) memcpy(at + r * stride, edge + 32 * r, wide * sizeof(float));
    }
  }
}

}  // namespace recsys
