/* Bitshuffle and LZ4 of 16-bit images in blocks of 8 KiB: what the kernels are compared with.
 *
 *   bitshuffle <shm file> <image bytes> <images> <shuffle|compress|decompress> <avx2|package> <ms>
 *
 * avx2: bit rows by movemask of 32 bytes, back by swapping bits of 4 groups at once, LZ4 by liblz4.
 * package: the functions of Debian's bitshuffle, as the HDF5 plugin has them. cold: image after image.
 * hot: the first 64 KiB. Prints {"hot", "cold", "share", "package_avx2"}: GB of images per second of CPU
 * time, their share when compressed, and whether the package was built for AVX2; {} where there is no such
 * yardstick.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#ifdef __AVX2__
#include <immintrin.h>
#endif

#define BLOCK 4096 /* elements */
#define HOT (64u << 10)

static const char *const PLUGINS[] = {
  "/usr/lib/x86_64-linux-gnu/hdf5/serial/plugins/libh5bshuf.so",
  "/usr/lib/aarch64-linux-gnu/hdf5/serial/plugins/libh5bshuf.so",
};

typedef int64_t (*package_function)(const void *, void *, size_t elements, size_t bytes, size_t block);
static package_function package_shuffle, package_compress, package_decompress;
static int (*lz4_compress)(const char *, char *, int, int);
static int (*lz4_decompress)(const char *, char *, int, int);

/* CPU time: what else the machine does should not count. */
static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

#ifdef __AVX2__
static inline void bit_rows(uint8_t *to, size_t row, __m256i x) {
  for (int k = 7; k >= 0; k--) {
    const uint32_t bits = (uint32_t)_mm256_movemask_epi8(x);
    memcpy(to + (size_t)k * row, &bits, 4);
    x = _mm256_add_epi8(x, x);
  }
}

static void shuffle_block(uint8_t *to, const uint8_t *from) {
  const __m256i low = _mm256_set1_epi16(0xff);
  const size_t row = BLOCK / 8;
  for (size_t e = 0; e < BLOCK; e += 32) {
    const __m256i a = _mm256_loadu_si256((const __m256i *)(from + 2 * e));
    const __m256i b = _mm256_loadu_si256((const __m256i *)(from + 2 * e + 32));
    const __m256i l = _mm256_packus_epi16(_mm256_and_si256(a, low), _mm256_and_si256(b, low));
    const __m256i h = _mm256_packus_epi16(_mm256_srli_epi16(a, 8), _mm256_srli_epi16(b, 8));
    bit_rows(to + e / 8, row, _mm256_permute4x64_epi64(l, 0xd8));
    bit_rows(to + 8 * row + e / 8, row, _mm256_permute4x64_epi64(h, 0xd8));
  }
}

static inline __m256i swap_bits(__m256i x, int shift, int64_t mask) {
  const __m256i t = _mm256_and_si256(_mm256_xor_si256(x, _mm256_srli_epi64(x, shift)), _mm256_set1_epi64x(mask));
  return _mm256_xor_si256(x, _mm256_xor_si256(t, _mm256_slli_epi64(t, shift)));
}

/* Byte j of 32 elements, in order, from 4 bytes of each of its 8 rows. */
static inline __m256i elements(const uint8_t *from, size_t row) {
  uint32_t words[8];
  for (int k = 0; k < 8; k++) memcpy(&words[k], from + (size_t)k * row, 4);
  const __m256i x = _mm256_loadu_si256((const __m256i *)words);
  const __m256i bytes = _mm256_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15, 0, 4, 8, 12, 1, 5, 9,
                                         13, 2, 6, 10, 14, 3, 7, 11, 15);
  __m256i y = _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(x, bytes), _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
  y = swap_bits(y, 7, 0x00aa00aa00aa00aa);
  y = swap_bits(y, 14, 0x0000cccc0000cccc);
  return swap_bits(y, 28, 0x00000000f0f0f0f0);
}

static void unshuffle_block(uint8_t *to, const uint8_t *from) {
  const size_t row = BLOCK / 8;
  for (size_t g = 0; g < row; g += 4) {
    const __m256i l = elements(from + g, row), h = elements(from + 8 * row + g, row);
    const __m256i even = _mm256_unpacklo_epi8(l, h), odd = _mm256_unpackhi_epi8(l, h);
    _mm256_storeu_si256((__m256i *)(to + 16 * g), _mm256_permute2x128_si256(even, odd, 0x20));
    _mm256_storeu_si256((__m256i *)(to + 16 * g + 32), _mm256_permute2x128_si256(even, odd, 0x31));
  }
}

static void shuffle(uint8_t *to, const uint8_t *from, size_t n) {
  for (size_t e = 0; e < n; e += BLOCK) shuffle_block(to + 2 * e, from + 2 * e);
}

static size_t compress(uint8_t *to, const uint8_t *from, size_t n) {
  static uint8_t shuffled[2 * BLOCK];
  uint8_t *out = to;
  for (size_t e = 0; e < n; e += BLOCK) {
    shuffle_block(shuffled, from + 2 * e);
    const int size = lz4_compress((const char *)shuffled, (char *)out + 4, 2 * BLOCK, 2 * BLOCK + 64);
    const uint32_t length = htonl((uint32_t)size);
    memcpy(out, &length, 4);
    out += 4 + size;
  }
  return (size_t)(out - to);
}

static void decompress(uint8_t *to, const uint8_t *from, size_t n) {
  static uint8_t shuffled[2 * BLOCK];
  for (size_t e = 0; e < n; e += BLOCK) {
    uint32_t length;
    memcpy(&length, from, 4);
    length = ntohl(length);
    if (lz4_decompress((const char *)from + 4, (char *)shuffled, (int)length, 2 * BLOCK) != 2 * BLOCK) abort();
    unshuffle_block(to + 2 * e, shuffled);
    from += 4 + length;
  }
}
#else
static void shuffle(uint8_t *to, const uint8_t *from, size_t n) { (void)to, (void)from, (void)n; }
static size_t compress(uint8_t *to, const uint8_t *from, size_t n) { (void)to, (void)from, (void)n; return 0; }
static void decompress(uint8_t *to, const uint8_t *from, size_t n) { (void)to, (void)from, (void)n; }
#endif

static int find_package(int *avx2) {
  void *library = NULL;
  for (size_t i = 0; library == NULL && i < sizeof PLUGINS / sizeof *PLUGINS; i++) library = dlopen(PLUGINS[i], RTLD_NOW);
  if (library == NULL) return 0;
  package_shuffle = (package_function)dlsym(library, "bshuf_bitshuffle");
  package_compress = (package_function)dlsym(library, "bshuf_compress_lz4");
  package_decompress = (package_function)dlsym(library, "bshuf_decompress_lz4");
  int (*const using_avx2)(void) = (int (*)(void))dlsym(library, "bshuf_using_AVX2");
  *avx2 = using_avx2 != NULL && using_avx2();
  return package_shuffle != NULL && package_compress != NULL && package_decompress != NULL;
}

static int find_lz4(void) {
#ifdef __AVX2__
  void *const library = dlopen("liblz4.so.1", RTLD_NOW);
  if (library == NULL) return 0;
  lz4_compress = (int (*)(const char *, char *, int, int))dlsym(library, "LZ4_compress_default");
  lz4_decompress = (int (*)(const char *, char *, int, int))dlsym(library, "LZ4_decompress_safe");
  return lz4_compress != NULL && lz4_decompress != NULL;
#else
  return 0;
#endif
}

int main(int argc, char **argv) {
  if (argc < 7) return 2;
  const size_t bytes = (size_t)atol(argv[2]), count = (size_t)atol(argv[3]);
  const char what = argv[4][0];
  const int package = strcmp(argv[5], "package") == 0;
  const double wanted = atof(argv[6]) / 1e3;
  int package_avx2 = 0;
  if (package ? !find_package(&package_avx2) : !find_lz4()) {
    puts("{}");
    return 0;
  }
  const int fd = open(argv[1], O_RDONLY);
  if (fd < 0) { perror(argv[1]); return 1; }
  const uint8_t *in = mmap(NULL, bytes * count, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
  if (in == MAP_FAILED) { perror("mmap"); return 1; }

  double speed[2], share = 0;
  for (int cold = 0; cold < 2; cold++) {
    const size_t unit = cold ? bytes : HOT, units = cold ? count : 1, room = unit + unit / 16 + 4096, n = unit / 2;
    uint8_t *const packed = malloc(room * units), *const unpacked = malloc(unit * units);
    memset(packed, 1, room * units);
    memset(unpacked, 1, unit * units);
    size_t size = 0;
    for (size_t i = 0; what != 's' && i < units; i++) {
      size += package ? (size_t)package_compress(in + i * unit, packed + i * room, n, 2, 0)
                      : compress(packed + i * room, in + i * unit, n);
    }
    share = (double)size / (double)(unit * units);
    double start = 0, now = 0;
    size_t done = 0, i = 0;
    for (int round = 0; start == 0 || now - start < wanted; round++) {
      const uint8_t *const from = in + i * unit;
      uint8_t *const chunk = packed + i * room, *const to = unpacked + i * unit;
      if (what == 's') {
        if (package) package_shuffle(from, to, n, 2, 0);
        else shuffle(to, from, n);
      } else if (what == 'c') {
        if (package) package_compress(from, chunk, n, 2, 0);
        else compress(chunk, from, n);
      } else if (package) package_decompress(chunk, to, n, 2, 0);
      else decompress(to, chunk, n);
      if (++i == units) i = 0;
      now = seconds();
      if (round == 4) start = now; /* warm from here on */
      else if (start != 0) done += unit;
    }
    speed[cold] = (double)done / 1e9 / (now - start);
    if (what == 'd' && memcmp(unpacked, in, unit) != 0) { fputs("wrong pixels\n", stderr); return 1; }
    free(packed);
    free(unpacked);
  }
  printf("{\"hot\":%.4f,\"cold\":%.4f,\"share\":%.5f,\"package_avx2\":%d}\n", speed[0], speed[1], share, package_avx2);
  return 0;
}
