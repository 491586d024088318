/* Bitshuffle and LZ4 of images in blocks of 8 KiB: what the kernels are compared with.
 *
 *   bitshuffle <shm file> <element bytes> <image bytes> <images> <avx2|package>
 *
 * Prints `ready`, takes lines `<case> <hot|cold> <ms>`, and answers each with {"gb_per_s", "share",
 * "package_avx2"}: GB of images per second of CPU time, what is left of them when compressed, and whether the
 * package was built for AVX2; or with {} where there is no such yardstick. Cases: shuffle, compress,
 * decompress. avx2: bit rows by movemask of 32 bytes, back by swapping bits of 4 groups at once, LZ4 by
 * liblz4. package: the functions of Debian's bitshuffle, as the HDF5 plugin has them. cold: all images, one
 * after the other, at least once. hot: the first 64 KiB.
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

#define BLOCK 8192 /* bytes */
#define HOT (64u << 10)

static const char *const PLUGINS[] = {
  "/usr/lib/x86_64-linux-gnu/hdf5/serial/plugins/libh5bshuf.so",
  "/usr/lib/aarch64-linux-gnu/hdf5/serial/plugins/libh5bshuf.so",
};

typedef int64_t (*package_function)(const void *, void *, size_t elements, size_t bytes, size_t block);
static package_function package_shuffle, package_unshuffle, package_compress, package_decompress;
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

#define INLINE static inline __attribute__((always_inline))

/* 32 elements in n vectors: their lower halves in n / 2, their upper halves in as many. */
INLINE void split(__m256i *low, __m256i *high, const __m256i *x, size_t n) {
  for (size_t i = 0; i < n / 2; i++) {
    const __m256i a = x[2 * i], b = x[2 * i + 1];
    if (n == 2) {
      const __m256i mask = _mm256_set1_epi16(0xff);
      low[i] = _mm256_packus_epi16(_mm256_and_si256(a, mask), _mm256_and_si256(b, mask));
      high[i] = _mm256_packus_epi16(_mm256_srli_epi16(a, 8), _mm256_srli_epi16(b, 8));
    } else if (n == 4) {
      const __m256i mask = _mm256_set1_epi32(0xffff);
      low[i] = _mm256_packus_epi32(_mm256_and_si256(a, mask), _mm256_and_si256(b, mask));
      high[i] = _mm256_packus_epi32(_mm256_srli_epi32(a, 16), _mm256_srli_epi32(b, 16));
    } else {
      low[i] = _mm256_castps_si256(_mm256_shuffle_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), 0x88));
      high[i] = _mm256_castps_si256(_mm256_shuffle_ps(_mm256_castsi256_ps(a), _mm256_castsi256_ps(b), 0xdd));
    }
    low[i] = _mm256_permute4x64_epi64(low[i], 0xd8);
    high[i] = _mm256_permute4x64_epi64(high[i], 0xd8);
  }
}

/* The bit rows of 32 elements of 1, 2, 4 and 8 bytes. */
INLINE void rows1(uint8_t *to, size_t row, const __m256i *x) { bit_rows(to, row, x[0]); }

#define ROWS(name, half, n)                                        \
  INLINE void name(uint8_t *to, size_t row, const __m256i *x) {    \
    __m256i low[n / 2], high[n / 2];                               \
    split(low, high, x, n);                                        \
    half(to, row, low);                                            \
    half(to + 4 * n * row, row, high);                             \
  }
ROWS(rows2, rows1, 2)
ROWS(rows4, rows2, 4)
ROWS(rows8, rows4, 8)

INLINE void shuffle_elements(uint8_t *to, const uint8_t *from, size_t E) {
  const size_t n = BLOCK / E, row = n / 8;
  for (size_t e = 0; e < n; e += 32) {
    __m256i x[8];
    for (size_t i = 0; i < E; i++) x[i] = _mm256_loadu_si256((const __m256i *)(from + e * E + 32 * i));
    if (E == 1) rows1(to + e / 8, row, x);
    else if (E == 2) rows2(to + e / 8, row, x);
    else if (E == 4) rows4(to + e / 8, row, x);
    else rows8(to + e / 8, row, x);
  }
}

static void shuffle_block(uint8_t *to, const uint8_t *from, size_t E) {
  if (E == 1) shuffle_elements(to, from, 1);
  else if (E == 2) shuffle_elements(to, from, 2);
  else if (E == 4) shuffle_elements(to, from, 4);
  else shuffle_elements(to, from, 8);
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

/* Undoes split(). */
INLINE void join(__m256i *x, const __m256i *low, const __m256i *high, size_t n) {
  for (size_t i = 0; i < n / 2; i++) {
    const __m256i l = low[i], h = high[i];
    const __m256i even = n == 2   ? _mm256_unpacklo_epi8(l, h)
                         : n == 4 ? _mm256_unpacklo_epi16(l, h)
                                  : _mm256_unpacklo_epi32(l, h);
    const __m256i odd = n == 2   ? _mm256_unpackhi_epi8(l, h)
                        : n == 4 ? _mm256_unpackhi_epi16(l, h)
                                 : _mm256_unpackhi_epi32(l, h);
    x[2 * i] = _mm256_permute2x128_si256(even, odd, 0x20);
    x[2 * i + 1] = _mm256_permute2x128_si256(even, odd, 0x31);
  }
}

/* 32 elements of 1, 2, 4 and 8 bytes from their bit rows. */
INLINE void elements1(__m256i *x, const uint8_t *from, size_t row) { x[0] = elements(from, row); }

#define ELEMENTS(name, half, n)                                        \
  INLINE void name(__m256i *x, const uint8_t *from, size_t row) {      \
    __m256i low[n / 2], high[n / 2];                                   \
    half(low, from, row);                                              \
    half(high, from + 4 * n * row, row);                               \
    join(x, low, high, n);                                             \
  }
ELEMENTS(elements2, elements1, 2)
ELEMENTS(elements4, elements2, 4)
ELEMENTS(elements8, elements4, 8)

INLINE void unshuffle_elements(uint8_t *to, const uint8_t *from, size_t E) {
  const size_t n = BLOCK / E, row = n / 8;
  for (size_t e = 0; e < n; e += 32) {
    __m256i x[8];
    if (E == 1) elements1(x, from + e / 8, row);
    else if (E == 2) elements2(x, from + e / 8, row);
    else if (E == 4) elements4(x, from + e / 8, row);
    else elements8(x, from + e / 8, row);
    for (size_t i = 0; i < E; i++) _mm256_storeu_si256((__m256i *)(to + e * E + 32 * i), x[i]);
  }
}

static void unshuffle_block(uint8_t *to, const uint8_t *from, size_t E) {
  if (E == 1) unshuffle_elements(to, from, 1);
  else if (E == 2) unshuffle_elements(to, from, 2);
  else if (E == 4) unshuffle_elements(to, from, 4);
  else unshuffle_elements(to, from, 8);
}

static void shuffle(uint8_t *to, const uint8_t *from, size_t bytes, size_t E) {
  for (size_t at = 0; at < bytes; at += BLOCK) shuffle_block(to + at, from + at, E);
}

static void unshuffle(uint8_t *to, const uint8_t *from, size_t bytes, size_t E) {
  for (size_t at = 0; at < bytes; at += BLOCK) unshuffle_block(to + at, from + at, E);
}

/* Blocks that are shuffled already: the length of each, then its bytes. */
static void compress_shuffled(uint8_t *to, const uint8_t *from, size_t bytes) {
  for (size_t at = 0; at < bytes; at += BLOCK) {
    const int32_t size = lz4_compress((const char *)from + at, (char *)to + 4, BLOCK, BLOCK + 64);
    memcpy(to, &size, 4);
    to += 4 + size;
  }
}

static void decompress_shuffled(uint8_t *to, const uint8_t *from, size_t bytes) {
  for (size_t at = 0; at < bytes; at += BLOCK) {
    int32_t size;
    memcpy(&size, from, 4);
    if (lz4_decompress((const char *)from + 4, (char *)to + at, size, BLOCK) != BLOCK) abort();
    from += 4 + size;
  }
}

static size_t compress(uint8_t *to, const uint8_t *from, size_t bytes, size_t E) {
  static uint8_t shuffled[BLOCK];
  uint8_t *out = to;
  for (size_t at = 0; at < bytes; at += BLOCK) {
    shuffle_block(shuffled, from + at, E);
    const int size = lz4_compress((const char *)shuffled, (char *)out + 4, BLOCK, BLOCK + 64);
    const uint32_t length = htonl((uint32_t)size);
    memcpy(out, &length, 4);
    out += 4 + size;
  }
  return (size_t)(out - to);
}

static void decompress(uint8_t *to, const uint8_t *from, size_t bytes, size_t E) {
  static uint8_t shuffled[BLOCK];
  for (size_t at = 0; at < bytes; at += BLOCK) {
    uint32_t length;
    memcpy(&length, from, 4);
    length = ntohl(length);
    if (lz4_decompress((const char *)from + 4, (char *)shuffled, (int)length, BLOCK) != BLOCK) abort();
    unshuffle_block(to + at, shuffled, E);
    from += 4 + length;
  }
}
#else
static void shuffle(uint8_t *to, const uint8_t *from, size_t n, size_t E) { (void)to, (void)from, (void)n, (void)E; }
static void unshuffle(uint8_t *to, const uint8_t *from, size_t n, size_t E) { (void)to, (void)from, (void)n, (void)E; }
static void compress_shuffled(uint8_t *to, const uint8_t *from, size_t n) { (void)to, (void)from, (void)n; }
static void decompress_shuffled(uint8_t *to, const uint8_t *from, size_t n) { (void)to, (void)from, (void)n; }
static size_t compress(uint8_t *to, const uint8_t *from, size_t n, size_t E) { (void)to, (void)from, (void)n, (void)E; return 0; }
static void decompress(uint8_t *to, const uint8_t *from, size_t n, size_t E) { (void)to, (void)from, (void)n, (void)E; }
#endif

static int find_package(int *avx2) {
  void *library = NULL;
  for (size_t i = 0; library == NULL && i < sizeof PLUGINS / sizeof *PLUGINS; i++) library = dlopen(PLUGINS[i], RTLD_NOW);
  if (library == NULL) return 0;
  package_shuffle = (package_function)dlsym(library, "bshuf_bitshuffle");
  package_unshuffle = (package_function)dlsym(library, "bshuf_bitunshuffle");
  package_compress = (package_function)dlsym(library, "bshuf_compress_lz4");
  package_decompress = (package_function)dlsym(library, "bshuf_decompress_lz4");
  int (*const using_avx2)(void) = (int (*)(void))dlsym(library, "bshuf_using_AVX2");
  *avx2 = using_avx2 != NULL && using_avx2();
  return package_shuffle != NULL && package_unshuffle != NULL && package_compress != NULL && package_decompress != NULL;
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
  if (argc < 6) return 2;
  const size_t E = (size_t)atol(argv[2]), bytes = (size_t)atol(argv[3]), count = (size_t)atol(argv[4]);
  const int package = strcmp(argv[5], "package") == 0;
  int package_avx2 = 0;
  const int found = package ? find_package(&package_avx2) : find_lz4();
  const int fd = open(argv[1], O_RDONLY);
  if (fd < 0) { perror(argv[1]); return 1; }
  const uint8_t *in = mmap(NULL, bytes * count, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
  if (in == MAP_FAILED) { perror("mmap"); return 1; }
  const size_t room = bytes + bytes / 16 + 4096;
  uint8_t *const packed = malloc(room * count), *const unpacked = malloc(bytes * count);
  uint8_t *const shuffled = malloc(bytes * count);
  memset(packed, 1, room * count);
  memset(shuffled, 1, bytes * count);
  memset(unpacked, 1, bytes * count);

  puts("ready");
  fflush(stdout);
  double share = 0, ms;
  char what[16], mode[8], before[32] = "", now_asked[32];
  while (scanf("%15s %7s %lf", what, mode, &ms) == 3) {
    const int is_shuffle = strcmp(what, "shuffle") == 0, is_unshuffle = strcmp(what, "unshuffle") == 0;
    const int is_compress = strcmp(what, "compress") == 0, is_decompress = strcmp(what, "decompress") == 0;
    const int is_lz4 = strcmp(what, "lz4") == 0, is_unlz4 = strcmp(what, "unlz4") == 0;
    if (!found || (package && (is_lz4 || is_unlz4))) {
      puts("{}");
      fflush(stdout);
      continue;
    }
    const size_t unit = mode[0] == 'c' ? bytes : HOT, units = mode[0] == 'c' ? count : 1, n = unit / E;
    snprintf(now_asked, sizeof now_asked, "%s %s", what, mode);
    const int warm = strcmp(now_asked, before) == 0;
    strcpy(before, now_asked);
    for (size_t i = 0; !warm && i < units; i++) {
      if (is_unshuffle && package) package_shuffle(in + i * unit, shuffled + i * unit, n, E, 0);
      else if (is_unshuffle || is_lz4 || is_unlz4) shuffle(shuffled + i * unit, in + i * unit, unit, E);
      if (is_unlz4) compress_shuffled(packed + i * room, shuffled + i * unit, unit);
    }
    for (size_t i = 0, size = 0; !warm && (is_compress || is_decompress) && i < units; i++) {
      size += package ? (size_t)package_compress(in + i * unit, packed + i * room, n, E, 0)
                      : compress(packed + i * room, in + i * unit, unit, E);
      share = (double)size / (double)(unit * (i + 1));
    }
    size_t done = 0;
    double start = seconds(), now = start;
    for (int pass = warm; pass == 0 || now - start < ms / 1e3; pass++) {
      for (size_t k = 0; k < (units > 1 ? units : 16); k++) {
        const size_t i = k % units;
        const uint8_t *const from = in + i * unit;
        uint8_t *const chunk = packed + i * room, *const to = unpacked + i * unit;
        if (is_unshuffle) {
          if (package) package_unshuffle(shuffled + i * unit, to, n, E, 0);
          else unshuffle(to, shuffled + i * unit, unit, E);
        } else if (is_lz4) {
          compress_shuffled(chunk, shuffled + i * unit, unit);
        } else if (is_unlz4) {
          decompress_shuffled(to, chunk, unit);
        } else if (is_shuffle) {
          if (package) package_shuffle(from, to, n, E, 0);
          else shuffle(to, from, unit, E);
        } else if (is_compress) {
          if (package) package_compress(from, chunk, n, E, 0);
          else compress(chunk, from, unit, E);
        } else if (package) package_decompress(chunk, to, n, E, 0);
        else decompress(to, chunk, unit, E);
        done += unit;
      }
      now = seconds();
      if (pass == 0) start = now, done = 0; /* the first pass of a case is not counted */
    }
    const uint8_t *const expected = is_decompress || is_unshuffle ? in : is_unlz4 ? shuffled : unpacked;
    if (memcmp(unpacked, expected, unit) != 0) { fputs("wrong pixels\n", stderr); return 1; }
    printf("{\"gb_per_s\":%.4f,\"share\":%.5f,\"package_avx2\":%d}\n", (double)done / 1e9 / (now - start), share,
           package_avx2);
    fflush(stdout);
  }
  return 0;
}
