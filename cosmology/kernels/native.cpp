// Forms of single operations of the CosmoFlow network that are faster on processors than torch's own.
//
// Legend: B batch, X Y Z pooled sides (a grid has sides 2X 2Y 2Z), C channels. All values lie channels last.
// `winner` says which of the 2^3 voxels of a window is its largest: 4 dx + 2 dy + dz. Ties go to the first,
// and a NaN beats every number, as in torch.

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <vector>

#if defined(__AMX_TILE__) && defined(__AMX_BF16__) && defined(__linux__)
#include <immintrin.h>
#include <sys/syscall.h>
#include <unistd.h>
#define HAS_TILES 1
#else
#define HAS_TILES 0
#endif

namespace {

constexpr int LANES = 16;
using Floats = float __attribute__((vector_size(64)));
using Ints = int32_t __attribute__((vector_size(64)));
using Words = uint32_t __attribute__((vector_size(64)));
using Halves = uint16_t __attribute__((vector_size(32)));
using Bytes = uint8_t __attribute__((vector_size(16)));

struct Bfloat16 {
  uint16_t bits;
};

struct Grid {  // pooled sides
  int64_t batch, x, y, z, channels;
  int64_t rows() const { return batch * x * y; }
};

inline Floats load(const float* from, int64_t count) {
  Floats values{};
  if (count >= LANES)
    std::memcpy(&values, from, sizeof values);
  else
    std::memcpy(&values, from, count * sizeof(float));
  return values;
}

inline Floats load(const Bfloat16* from, int64_t count) {
  Halves halves{};
  if (count >= LANES)
    std::memcpy(&halves, from, sizeof halves);
  else
    std::memcpy(&halves, from, count * sizeof(Bfloat16));
  return (Floats)(__builtin_convertvector(halves, Words) << 16);
}

inline void store(float* to, Floats values, int64_t count) {
  if (count >= LANES)
    std::memcpy(to, &values, sizeof values);
  else
    std::memcpy(to, &values, count * sizeof(float));
}

inline Halves rounded(Floats values) {  // to the nearest, ties to even
  Words words = (Words)values;
  words += 0x7FFFu + ((words >> 16) & 1u);
  const Words nan = Words{} + 0x7FC00000u;
  words = values != values ? nan : words;
  return __builtin_convertvector(words >> 16, Halves);
}

inline void store(Bfloat16* to, Floats values, int64_t count) {
  const Halves halves = rounded(values);
  if (count >= LANES)
    std::memcpy(to, &halves, sizeof halves);
  else
    std::memcpy(to, &halves, count * sizeof(Bfloat16));
}

inline void store(uint8_t* to, Ints values, int64_t count) {
  const Bytes bytes = __builtin_convertvector(values, Bytes);
  if (count >= LANES)
    std::memcpy(to, &bytes, sizeof bytes);
  else
    std::memcpy(to, &bytes, count);
}

inline Ints load_bytes(const uint8_t* from, int64_t count) {
  Bytes bytes{};
  if (count >= LANES)
    std::memcpy(&bytes, from, sizeof bytes);
  else
    std::memcpy(&bytes, from, count);
  return __builtin_convertvector(bytes, Ints);
}

inline Floats activated(Floats values, float slope) { return values > 0.0f ? values : values * slope; }

/// The gradient before the activation: its slope follows from the sign of its result.
inline Floats sloped(Floats gradient, Floats result, float slope) {
  return result > 0.0f ? gradient : gradient * slope;
}

inline void keep_larger(Floats& best, Ints& winner, Floats other, int number) {
  const Ints is_larger = (other > best) | (other != other);
  best = is_larger ? other : best;
  winner = is_larger ? Ints{} + number : winner;
}

template <class T>
void pool(const T* x, T* pooled, uint8_t* winner, Grid grid, float slope, int threads) {
  const int64_t step_z = grid.channels, step_y = 2 * grid.z * step_z, step_x = 2 * grid.y * step_y;
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int64_t row = 0; row < grid.rows(); ++row) {
    const int64_t y = row % grid.y, plane = row / grid.y;  // plane: of all samples, one behind the other
    const T* from = x + 2 * plane * step_x + 2 * y * step_y;
    const int64_t to = row * grid.z * grid.channels;
    for (int64_t z = 0; z < grid.z; ++z) {
      for (int64_t c = 0; c < grid.channels; c += LANES) {
        const int64_t count = grid.channels - c;
        const T* corner = from + 2 * z * step_z + c;
        Floats best = load(corner, count);
        Ints number{};
        keep_larger(best, number, load(corner + step_z, count), 1);
        keep_larger(best, number, load(corner + step_y, count), 2);
        keep_larger(best, number, load(corner + step_y + step_z, count), 3);
        keep_larger(best, number, load(corner + step_x, count), 4);
        keep_larger(best, number, load(corner + step_x + step_z, count), 5);
        keep_larger(best, number, load(corner + step_x + step_y, count), 6);
        keep_larger(best, number, load(corner + step_x + step_y + step_z, count), 7);
        store(pooled + to + z * grid.channels + c, activated(best, slope), count);
        store(winner + to + z * grid.channels + c, number, count);
      }
    }
  }
}

template <class T>
void pool_gradient(const T* gradient, const T* pooled, const uint8_t* winner, T* x_gradient, Grid grid,
                   float slope, int threads) {
  const int64_t step_z = grid.channels, step_y = 2 * grid.z * step_z, step_x = 2 * grid.y * step_y;
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int64_t row = 0; row < grid.rows(); ++row) {
    const int64_t y = row % grid.y, plane = row / grid.y;
    T* to = x_gradient + 2 * plane * step_x + 2 * y * step_y;
    const int64_t from = row * grid.z * grid.channels;
    for (int64_t z = 0; z < grid.z; ++z) {
      for (int64_t c = 0; c < grid.channels; c += LANES) {
        const int64_t count = grid.channels - c, at = from + z * grid.channels + c;
        const Floats slope_less = load(gradient + at, count);
        const Floats values = sloped(slope_less, load(pooled + at, count), slope);
        const Ints number = load_bytes(winner + at, count);
        T* corner = to + 2 * z * step_z + c;
        for (int n = 0; n < 8; ++n) {
          const int64_t offset = (n >> 2) * step_x + ((n >> 1) & 1) * step_y + (n & 1) * step_z;
          store(corner + offset, number == n ? values : Floats{}, count);
        }
      }
    }
  }
}

/// Four by four rows of a grid around one row of windows, as floats, with a border of zeros.
template <class T>
void fill_strips(float* strips, int64_t length, const T* x, Grid grid, int64_t in_channels, int64_t row) {
  const int64_t side_x = 2 * grid.x, side_y = 2 * grid.y, values = 2 * grid.z * in_channels;
  const int64_t y = row % grid.y, plane = row / grid.y, sample = plane / grid.x, in_sample = plane % grid.x;
  for (int64_t i = 0; i < 4; ++i) {
    for (int64_t j = 0; j < 4; ++j) {
      float* strip = strips + (4 * i + j) * length;
      const int64_t from_x = 2 * in_sample - 1 + i, from_y = 2 * y - 1 + j;
      const bool is_inside = from_x >= 0 && from_x < side_x && from_y >= 0 && from_y < side_y;
      if (!is_inside) {
        std::fill(strip, strip + length, 0.0f);
        continue;
      }
      const T* from = x + ((sample * side_x + from_x) * side_y + from_y) * values;
      std::fill(strip, strip + in_channels, 0.0f);
      for (int64_t at = 0; at < values; at += LANES)
        store(strip + in_channels + at, load(from + at, values - at), values - at);
      std::fill(strip + in_channels + values, strip + length, 0.0f);
    }
  }
}

/// To sums[9 rows][VECTORS] the neighbourhoods of the winners of one row of windows in one channel, each times its
/// gradient; gives the sum of the gradients. Gradients and winners lie `stride` apart, windows `step`.
template <int VECTORS>
float add_windows(float* sums, const float* strips, int64_t length, int64_t step, const int64_t* offsets,
                  const float* gradient, const uint8_t* winner, int64_t stride, int64_t num_windows) {
  Floats own[9][VECTORS] = {};  // in registers
  float sum = 0;
  for (int64_t z = 0; z < num_windows; ++z) {
    const float factor = gradient[z * stride];
    const float* patch = strips + z * step + offsets[winner[z * stride] & 7];
    sum += factor;
#pragma GCC unroll 9
    for (int tap = 0; tap < 9; ++tap)
#pragma GCC unroll 2
      for (int v = 0; v < VECTORS; ++v)
        own[tap][v] += factor * load(patch + (tap / 3 * 4 + tap % 3) * length + v * LANES, LANES);
  }
  for (int tap = 0; tap < 9; ++tap)
    for (int v = 0; v < VECTORS; ++v) {
      float* to = sums + (tap * VECTORS + v) * LANES;
      store(to, load(to, LANES) + own[tap][v], LANES);
    }
  return sum;
}

/// Gradients of weights and biases of a 3^3 convolution that is activated and pooled, from pooled gradients.
///
/// One voxel of eight has a gradient, another one in each channel: where the convolution reads few channels,
/// adding up the 3^3 neighbourhoods of these voxels alone is faster than products over all voxels.
/// Needs 3 * in_channels <= VECTORS * LANES. Sums go plane by plane, in float, then in double.
template <class T, int VECTORS>
void window_gradient(const T* x, const T* gradient, const T* pooled, const uint8_t* winner,
                     float* weight_gradient, float* bias_gradient, Grid grid, int64_t in_channels, float slope,
                     int threads) {
  constexpr int WIDTH = VECTORS * LANES, TAPS = 9;
  const int64_t out_channels = grid.channels, per_channel = TAPS * WIDTH;
  const int64_t length = (2 * grid.z + 2) * in_channels + WIDTH;
  std::vector<double> sums(threads * out_channels * (per_channel + 1), 0.0);
  int64_t offsets[8];
  for (int n = 0; n < 8; ++n)
    offsets[n] = ((n >> 2) * 4 + ((n >> 1) & 1)) * length + (n & 1) * in_channels;
#pragma omp parallel num_threads(threads)
  {
    std::vector<float> strips(16 * length), part(out_channels * per_channel), biases(out_channels);
    std::vector<float> row_gradient(grid.z * out_channels + LANES);
#pragma omp for schedule(static)
    for (int64_t share = 0; share < threads; ++share) {
      double* own = sums.data() + share * out_channels * (per_channel + 1);
      const int64_t planes = grid.batch * grid.x;
      for (int64_t plane = share * planes / threads; plane < (share + 1) * planes / threads; ++plane) {
        std::fill(part.begin(), part.end(), 0.0f);
        std::fill(biases.begin(), biases.end(), 0.0f);
        for (int64_t y = 0; y < grid.y; ++y) {
          const int64_t row = plane * grid.y + y, from = row * grid.z * out_channels;
          fill_strips(strips.data(), length, x, grid, in_channels, row);
          for (int64_t at = 0, all = grid.z * out_channels; at < all; at += LANES)
            store(row_gradient.data() + at,
                  sloped(load(gradient + from + at, all - at), load(pooled + from + at, all - at), slope), all - at);
          for (int64_t c = 0; c < out_channels; ++c)
            biases[c] += add_windows<VECTORS>(part.data() + c * per_channel, strips.data(), length, 2 * in_channels,
                                              offsets, row_gradient.data() + c, winner + from + c, out_channels,
                                              grid.z);
        }
        for (int64_t at = 0; at < out_channels * per_channel; ++at) own[at] += part[at];
        for (int64_t c = 0; c < out_channels; ++c) own[out_channels * per_channel + c] += biases[c];
      }
    }
  }
  for (int64_t c = 0; c < out_channels; ++c) {
    const auto summed = [&](int64_t at) {
      double sum = 0;
      for (int64_t share = 0; share < threads; ++share)
        sum += sums[share * out_channels * (per_channel + 1) + at];
      return static_cast<float>(sum);
    };
    bias_gradient[c] = summed(out_channels * per_channel + c);
    for (int64_t in = 0; in < in_channels; ++in)
      for (int64_t tap = 0; tap < TAPS; ++tap)
        for (int64_t k = 0; k < 3; ++k)
          weight_gradient[((c * in_channels + in) * TAPS + tap) * 3 + k] =
              summed(c * per_channel + tap * WIDTH + k * in_channels + in);
  }
}

/// Each count replaced by what its channel's table has for it, channels last.
template <class T>
void look_up(const uint16_t* counts, const T* tables, T* grids, int64_t batch, int64_t channels, int64_t voxels,
             int threads) {
  constexpr int64_t BLOCK = 1024, COUNTS = 65536;  // a block of all channels stays in the first cache
  const int64_t blocks = (voxels + BLOCK - 1) / BLOCK;
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int64_t block = 0; block < batch * blocks; ++block) {
    const int64_t sample = block / blocks, first = block % blocks * BLOCK, last = std::min(first + BLOCK, voxels);
    for (int64_t c = 0; c < channels; ++c) {
      const uint16_t* from = counts + (sample * channels + c) * voxels;
      T* to = grids + sample * channels * voxels + c;
      for (int64_t voxel = first; voxel < last; ++voxel)
        to[voxel * channels] = tables[c * COUNTS + from[voxel]];
    }
  }
}

#if HAS_TILES

struct alignas(64) TileShape {
  uint8_t palette = 1, start_row = 0, reserved[14] = {};
  uint16_t bytes_per_row[16] = {};
  uint8_t rows[16] = {};

  /// Tiles 0 to 3 are sums, 4 and 5 hold `voxels` voxels, 6 and 7 weights.
  explicit TileShape(int64_t voxels) {
    for (int tile = 0; tile < 8; ++tile) {
      bytes_per_row[tile] = 64;
      rows[tile] = tile < 6 ? voxels : 16;
    }
  }
};

constexpr int TILE_K = 32;  // products of a tile go over 32 values
constexpr int TILE_N = 16;

int64_t num_steps(int64_t in_channels) { return (3 * in_channels + TILE_K - 1) / TILE_K; }

bool ask_for_tiles() {
  constexpr int ARCH_REQ_XCOMP_PERM = 0x1023, XFEATURE_XTILEDATA = 18;
  return syscall(SYS_arch_prctl, ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA) == 0;
}

/// Weights [out, in, 3, 3, 3] as tiles: [out / 32][9 rows][steps][2][16 pairs][16 out][2], zeros where none are.
/// A row of a neighbourhood is 3 * in_channels values that lie side by side; a step takes 32 of them.
void pack_weights(const float* weight, Bfloat16* tiles, int64_t out_channels, int64_t in_channels, int threads) {
  const int64_t steps = num_steps(in_channels), blocks = (out_channels + 2 * TILE_N - 1) / (2 * TILE_N);
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int64_t place = 0; place < blocks * 9 * steps * 2; ++place) {
    const int64_t half = place % 2, step = place / 2 % steps, row = place / 2 / steps % 9;
    const int64_t first = (place / 2 / steps / 9 * 2 + half) * TILE_N;
    Bfloat16* tile = tiles + place * TILE_K * TILE_N;
    for (int64_t k = 0; k < TILE_K; ++k) {
      const int64_t at = step * TILE_K + k, in = at % in_channels, tap = row * 3 + at / in_channels;
      Floats values{};
      for (int64_t n = 0; n < TILE_N && at < 3 * in_channels && first + n < out_channels; ++n)
        values[n] = weight[((first + n) * in_channels + in) * 27 + tap];
      const Halves halves = rounded(values);
      for (int64_t n = 0; n < TILE_N; ++n) tile[(k / 2 * TILE_N + n) * 2 + k % 2].bits = halves[n];
    }
  }
}

/// The grid with a border of zeros on all sides, [B, 2X + 2, 2Y + 2, 2Z + 2, in], with zeros behind.
void pad(const Bfloat16* x, Bfloat16* padded, Grid grid, int64_t in_channels, int threads) {
  const int64_t side_x = 2 * grid.x, side_y = 2 * grid.y, values = 2 * grid.z * in_channels;
  const int64_t length = values + 2 * in_channels, rows = grid.batch * (side_x + 2) * (side_y + 2);
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int64_t row = 0; row < rows; ++row) {
    Bfloat16* to = padded + row * length;
    const int64_t y = row % (side_y + 2) - 1, plane = row / (side_y + 2);
    const int64_t in_sample = plane % (side_x + 2) - 1, sample = plane / (side_x + 2);
    const bool is_inside = in_sample >= 0 && in_sample < side_x && y >= 0 && y < side_y;
    if (!is_inside) {
      std::memset(to, 0, length * sizeof *to);
      continue;
    }
    std::memset(to, 0, in_channels * sizeof *to);
    std::memcpy(to + in_channels, x + ((sample * side_x + in_sample) * side_y + y) * values, values * sizeof *to);
    std::memset(to + in_channels + values, 0, in_channels * sizeof *to);
  }
  std::memset(padded + rows * length, 0, (LANES * in_channels + TILE_K) * sizeof *padded);
}

/// Products of two rows of voxels with 32 output channels, into sums[2][16 voxels][32 channels].
inline void two_rows(const Bfloat16* from, int64_t row_length, int64_t plane_length, int64_t in_channels,
                     const Bfloat16* tiles, int64_t steps, float* sums) {
  constexpr int64_t TILE = TILE_K * TILE_N;
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
  for (int row = 0; row < 9; ++row) {
    const Bfloat16* at = from + row / 3 * plane_length + row % 3 * row_length;
    for (int64_t step = 0; step < steps; ++step, at += TILE_K, tiles += 2 * TILE) {
      _tile_loadd(6, tiles, 64);
      _tile_loadd(4, at, in_channels * sizeof *at);
      _tile_dpbf16ps(0, 4, 6);
      _tile_loadd(7, tiles + TILE, 64);
      _tile_dpbf16ps(1, 4, 7);
      _tile_loadd(5, at + row_length, in_channels * sizeof *at);
      _tile_dpbf16ps(2, 5, 6);
      _tile_dpbf16ps(3, 5, 7);
    }
  }
  constexpr int64_t ROW = LANES * 2 * TILE_N, STRIDE = 2 * TILE_N * sizeof(float);
  _tile_stored(0, sums, STRIDE);
  _tile_stored(1, sums + TILE_N, STRIDE);
  _tile_stored(2, sums + ROW, STRIDE);
  _tile_stored(3, sums + ROW + TILE_N, STRIDE);
}

/// Bias, activation and pooling of sums[2 x][2 y][16 z][32 channels]: monotone, so the largest sum goes first.
inline void finish(const float* sums, const float* bias, Bfloat16* pooled, uint8_t* winner, int64_t num_windows,
                   int64_t channels, int64_t count, float slope) {
  constexpr int64_t VOXEL = 2 * TILE_N, ROW = LANES * VOXEL;
  for (int64_t z = 0; z < num_windows; ++z) {
    for (int64_t c = 0; c < std::min<int64_t>(count, VOXEL); c += LANES) {
      const float* corner = sums + 2 * z * VOXEL + c;
      Floats best = load(corner, LANES);
      Ints number{};
      for (int n = 1; n < 8; ++n)
        keep_larger(best, number, load(corner + (n >> 1) * ROW + (n & 1) * VOXEL, LANES), n);
      best += load(bias + c, count - c);
      Bfloat16 halves[LANES];  // the convolution's result, before its activation, in its own digits
      store(halves, best, LANES);
      store(pooled + z * channels + c, activated(load(halves, LANES), slope), count - c);
      store(winner + z * channels + c, number, count - c);
    }
  }
}

void convolve_and_pool(const Bfloat16* padded, const Bfloat16* tiles, const float* bias, Bfloat16* pooled,
                       uint8_t* winner, Grid grid, int64_t in_channels, float slope, int threads) {
  const int64_t row_length = (2 * grid.z + 2) * in_channels, plane_length = (2 * grid.y + 2) * row_length;
  const int64_t steps = num_steps(in_channels), voxels = std::min<int64_t>(LANES, 2 * grid.z);
  const int64_t channels = grid.channels, blocks = (channels + 2 * TILE_N - 1) / (2 * TILE_N);
  // Weights that do not stay in the cache while a row is done: all rows, then, for one block of them.
  constexpr int64_t CACHE_VALUES = 1 << 18;
  const int64_t outer = blocks * 9 * steps * 2 * TILE_K * TILE_N > CACHE_VALUES ? blocks : 1;
  const TileShape shape(voxels);
#pragma omp parallel num_threads(threads)
  {
    _tile_loadconfig(&shape);
    alignas(64) float sums[4 * LANES * 2 * TILE_N];
#pragma omp for schedule(static)
    for (int64_t job = 0; job < outer * grid.rows(); ++job) {
      const int64_t row = job % grid.rows(), begin = job / grid.rows() * 2 * TILE_N;
      const int64_t end = outer == 1 ? channels : begin + 2 * TILE_N;
      const int64_t y = row % grid.y, plane = row / grid.y, sample = plane / grid.x, x = plane % grid.x;
      const Bfloat16* from = padded + (sample * (2 * grid.x + 2) + 2 * x) * plane_length + 2 * y * row_length;
      for (int64_t first = begin; first < end; first += 2 * TILE_N) {
        const Bfloat16* own_tiles = tiles + first * 9 * steps * TILE_K;
        for (int64_t z = 0; z < 2 * grid.z; z += voxels) {
          for (int64_t i = 0; i < 2; ++i)
            two_rows(from + i * plane_length + z * in_channels, row_length, plane_length, in_channels, own_tiles,
                     steps, sums + i * 2 * LANES * 2 * TILE_N);
          const int64_t to = (row * grid.z + z / 2) * grid.channels + first;
          finish(sums, bias + first, pooled + to, winner + to, std::min(voxels, 2 * grid.z - z) / 2, grid.channels,
                 grid.channels - first, slope);
        }
      }
    }
    _tile_release();
  }
}

/// Neighbours along z side by side, as products over voxels want them: [B, 2X + 2, 3, 2Y + 2, Z, in, 2] holds the
/// voxels 2 z + k - 1 and 2 z + k of tap k, zeros outside of the grid.
void interleave(const Bfloat16* x, uint32_t* pairs, Grid grid, int64_t in_channels, int threads) {
  const int64_t side_x = 2 * grid.x, side_y = 2 * grid.y, side_z = 2 * grid.z, length = grid.z * in_channels;
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int64_t row = 0; row < grid.batch * (side_x + 2) * (side_y + 2); ++row) {
    const int64_t y = row % (side_y + 2) - 1, plane = row / (side_y + 2);
    const int64_t in_sample = plane % (side_x + 2) - 1, sample = plane / (side_x + 2);
    const bool is_inside = in_sample >= 0 && in_sample < side_x && y >= 0 && y < side_y;
    const Bfloat16* from = x + ((sample * side_x + in_sample) * side_y + y) * side_z * in_channels;
    for (int64_t k = 0; k < 3; ++k) {
      uint32_t* to = pairs + ((plane * 3 + k) * (side_y + 2) + y + 1) * length;
      if (!is_inside) {
        std::memset(to, 0, length * sizeof *to);
        continue;
      }
      for (int64_t z = 0; z < grid.z; ++z) {
        const int64_t low = 2 * z + k - 1, high = low + 1;
        for (int64_t c = 0; c < in_channels; c += LANES) {
          const Words lows = low < 0 ? Words{} : (Words)load(from + low * in_channels + c, LANES) >> 16;
          const Words highs = high >= side_z ? Words{} : (Words)load(from + high * in_channels + c, LANES);
          const Words both = lows | highs;
          std::memcpy(to + z * in_channels + c, &both, sizeof both);
        }
      }
    }
  }
}

/// What pool_gradient gives, by blocks of 32 voxels of a plane, [B, 2X, 4YZ / 32, channels, 32], and its sums over
/// planes of windows, [B * X, channels].
void scatter(const Bfloat16* gradient, const Bfloat16* pooled, const uint8_t* winner, Bfloat16* blocks, float* sums,
             Grid grid, float slope, int threads) {
  const int64_t plane_values = 4 * grid.y * grid.z * grid.channels, row_values = grid.z * grid.channels;
#pragma omp parallel for schedule(static) num_threads(threads)
  for (int64_t plane = 0; plane < grid.batch * grid.x; ++plane) {
    std::vector<Bfloat16> sloped_row(row_values);
    Bfloat16* to = blocks + 2 * plane * plane_values;
    float* sum = sums + plane * grid.channels;
    std::memset(to, 0, 2 * plane_values * sizeof *to);
    std::fill(sum, sum + grid.channels, 0.0f);
    for (int64_t y = 0; y < grid.y; ++y) {
      const int64_t from = (plane * grid.y + y) * row_values;
      for (int64_t at = 0; at < row_values; at += LANES) {
        const Floats values = sloped(load(gradient + from + at, LANES), load(pooled + from + at, LANES), slope);
        store(sloped_row.data() + at, values, LANES);
        const int64_t c = at % grid.channels;
        store(sum + c, load(sum + c, LANES) + load(sloped_row.data() + at, LANES), LANES);
      }
      for (int64_t z = 0; z < grid.z; ++z) {
        int64_t places[8];
        for (int64_t n = 0; n < 8; ++n) {
          const int64_t voxel = (2 * y + (n >> 1) % 2) * 2 * grid.z + 2 * z + n % 2;
          places[n] = (n >> 2) * plane_values + voxel / TILE_K * grid.channels * TILE_K + voxel % TILE_K;
        }
        for (int64_t c = 0; c < grid.channels; ++c)
          to[places[winner[from + z * grid.channels + c] & 7] + c * TILE_K] = sloped_row[z * grid.channels + c];
      }
    }
  }
}

/// Gradients by the weights, [27 taps, channels, in], of scattered gradients and interleaved inputs.
void weight_products(const Bfloat16* blocks, const uint32_t* pairs, float* result, Grid grid, int64_t in_channels,
                     int threads) {
  constexpr int64_t SIDE = 2 * TILE_N, CACHE_VALUES = 1 << 18;
  const int64_t side_x = 2 * grid.x, channels = grid.channels, steps = 4 * grid.y * grid.z / TILE_K;
  const int64_t planes = grid.batch * side_x, plane_values = steps * TILE_K * channels;
  const int64_t together = std::max<int64_t>(1, CACHE_VALUES / plane_values);  // planes that stay in the cache
  const int64_t row_length = grid.z * in_channels, tap_length = (2 * grid.y + 2) * row_length;
  const int64_t in_blocks = in_channels / SIDE, out_blocks = channels / SIDE;
  const TileShape shape(TILE_N);
  std::fill(result, result + 27 * channels * in_channels, 0.0f);
#pragma omp parallel num_threads(threads)
  {
    _tile_loadconfig(&shape);
    for (int64_t begin = 0; begin < planes; begin += together) {
#pragma omp for schedule(static) nowait
      for (int64_t quad = 0; quad < 27 * out_blocks * in_blocks; ++quad) {
        const int64_t in = quad % in_blocks * SIDE, out = quad / in_blocks % out_blocks * SIDE;
        const int64_t tap = quad / in_blocks / out_blocks, i = tap / 9, j = tap / 3 % 3, k = tap % 3;
        float* sums = result + (tap * channels + out) * in_channels + in;
        const int64_t stride = in_channels * sizeof(float);
        _tile_loadd(0, sums, stride);
        _tile_loadd(1, sums + TILE_N, stride);
        _tile_loadd(2, sums + TILE_N * in_channels, stride);
        _tile_loadd(3, sums + TILE_N * in_channels + TILE_N, stride);
        for (int64_t plane = begin; plane < std::min(planes, begin + together); ++plane) {
          const Bfloat16* left = blocks + plane * plane_values + out * TILE_K;
          const int64_t padded_plane = plane / side_x * (side_x + 2) + plane % side_x + i;
          const uint32_t* right = pairs + (padded_plane * 3 + k) * tap_length + j * row_length + in;
          for (int64_t step = 0; step < steps; ++step) {
            _tile_loadd(4, left, 64);
            _tile_loadd(6, right, stride);
            _tile_dpbf16ps(0, 4, 6);
            _tile_loadd(7, right + TILE_N, stride);
            _tile_dpbf16ps(1, 4, 7);
            _tile_loadd(5, left + TILE_N * TILE_K, 64);
            _tile_dpbf16ps(2, 5, 6);
            _tile_dpbf16ps(3, 5, 7);
            left += channels * TILE_K;
            right += TILE_N * in_channels;
          }
        }
        _tile_stored(0, sums, stride);
        _tile_stored(1, sums + TILE_N, stride);
        _tile_stored(2, sums + TILE_N * in_channels, stride);
        _tile_stored(3, sums + TILE_N * in_channels + TILE_N, stride);
      }
    }
    _tile_release();
  }
}

#endif

}  // namespace

#define GRID Grid{batch, x, y, z, channels}
#define SIDES int64_t batch, int64_t x, int64_t y, int64_t z, int64_t channels
#define BOTH_FORMATS(DEFINE) DEFINE(float, float32) DEFINE(Bfloat16, bfloat16)

extern "C" {

#define DEFINE_POOL(T, NAME)                                                                                   \
  void pool_##NAME(const void* values, void* pooled, void* winner, SIDES, float slope, int threads) {          \
    pool((const T*)values, (T*)pooled, (uint8_t*)winner, GRID, slope, threads);                                \
  }
BOTH_FORMATS(DEFINE_POOL)

#define DEFINE_POOL_GRADIENT(T, NAME)                                                                          \
  void pool_gradient_##NAME(const void* gradient, const void* pooled, const void* winner, void* x_gradient,    \
                            SIDES, float slope, int threads) {                                                 \
    pool_gradient((const T*)gradient, (const T*)pooled, (const uint8_t*)winner, (T*)x_gradient, GRID, slope,   \
                  threads);                                                                                    \
  }
BOTH_FORMATS(DEFINE_POOL_GRADIENT)

#define DEFINE_WINDOW_GRADIENT(T, NAME)                                                                        \
  void window_gradient_##NAME(const void* values, const void* gradient, const void* pooled, const void* winner, \
                              void* weight_gradient, void* bias_gradient, SIDES, int64_t in_channels,          \
                              float slope, int threads) {                                                      \
    const auto sum = 3 * in_channels <= LANES ? window_gradient<T, 1> : window_gradient<T, 2>;                 \
    sum((const T*)values, (const T*)gradient, (const T*)pooled, (const uint8_t*)winner,                        \
        (float*)weight_gradient, (float*)bias_gradient, GRID, in_channels, slope, threads);                    \
  }
BOTH_FORMATS(DEFINE_WINDOW_GRADIENT)

#define DEFINE_LOOK_UP(T, NAME)                                                                                \
  void look_up_##NAME(const void* counts, const void* tables, void* grids, int64_t batch, int64_t channels,    \
                      int64_t voxels, int threads) {                                                           \
    look_up((const uint16_t*)counts, (const T*)tables, (T*)grids, batch, channels, voxels, threads);           \
  }
BOTH_FORMATS(DEFINE_LOOK_UP)

/// Whether this processor multiplies tiles, and the system lets it.
int has_tiles() {
#if HAS_TILES
  static const bool is_granted = ask_for_tiles();
  return is_granted;
#else
  return 0;
#endif
}

/// `padded` and `tiles` are scratch: see `pad` and `pack_weights`. False without tiles.
int convolve_and_pool_bfloat16(const void* values, const void* weight, const void* bias, void* pooled,
                               void* winner, void* padded, void* tiles, SIDES, int64_t in_channels, float slope,
                               int threads) {
  if (!has_tiles()) return 0;
#if HAS_TILES
  pack_weights((const float*)weight, (Bfloat16*)tiles, channels, in_channels, threads);
  pad((const Bfloat16*)values, (Bfloat16*)padded, GRID, in_channels, threads);
  convolve_and_pool((const Bfloat16*)padded, (const Bfloat16*)tiles, (const float*)bias, (Bfloat16*)pooled,
                    (uint8_t*)winner, GRID, in_channels, slope, threads);
#endif
  return 1;
}

/// Gradients by weights, [27, channels, in], and bias, to be summed over [B * X, channels], of the same. Channels
/// come by 32, voxels of a plane too; `blocks` and `pairs` are scratch: see `scatter` and `interleave`.
int weight_gradient_bfloat16(const void* values, const void* gradient, const void* pooled, const void* winner,
                             void* weights, void* biases, void* blocks, void* pairs, SIDES, int64_t in_channels,
                             float slope, int threads) {
  if (!has_tiles()) return 0;
#if HAS_TILES
  scatter((const Bfloat16*)gradient, (const Bfloat16*)pooled, (const uint8_t*)winner, (Bfloat16*)blocks,
          (float*)biases, GRID, slope, threads);
  interleave((const Bfloat16*)values, (uint32_t*)pairs, GRID, in_channels, threads);
  weight_products((const Bfloat16*)blocks, (const uint32_t*)pairs, (float*)weights, GRID, in_channels, threads);
#endif
  return 1;
}

}  // extern "C"
