/* Bitshuffle and LZ4 of 16-bit images: what the kernels are compared with.
 *
 *   bitshuffle <shm file> <image bytes> <images> <shuffle|compress|decompress> <avx2|package> <hot|cold> <ms>
 *
 * avx2: the bit rows by movemask of 32 bytes, LZ4 by liblz4. package: Debian's bitshuffle, the HDF5
 * plugin's functions. Blocks of 8 KiB. cold: image after image of the file. hot: the first 64 KiB.
 * Prints {"gb_per_s", "compressed", "package_avx2"}: bytes of images per second of CPU time, their share
 * when compressed, and whether the package was built for AVX2. Ends with 3 where a library is missing.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <immintrin.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define BLOCK 4096 /* elements */
#define HOT (64u << 10)

static const char *const PLUGINS[] = {
  "/usr/lib/x86_64-linux-gnu/hdf5/serial/plugins/libh5bshuf.so",
  "/usr/lib/aarch64-linux-gnu/hdf5/serial/plugins/libh5bshuf.so",
};

typedef int64_t (*package_function)(const void *, void *, size_t, size_t, size_t);
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

static void shuffle_block(uint8_t *to, const uint8_t *from, size_t n) {
  const __m256i low = _mm256_set1_epi16(0xff);
  const size_t row = n / 8;
  for (size_t e = 0; e < n; e += 32) {
    const __m256i a = _mm256_loadu_si256((const __m256i *)(from + 2 * e));
    const __m256i b = _mm256_loadu_si256((const __m256i *)(from + 2 * e + 32));
    const __m256i l = _mm256_packus_epi16(_mm256_and_si256(a, low), _mm256_and_si256(b, low));
    const __m256i h = _mm256_packus_epi16(_mm256_srli_epi16(a, 8), _mm256_srli_epi16(b, 8));
    bit_rows(to + e / 8, row, _mm256_permute4x64_epi64(l, 0xd8));
    bit_rows(to + 8 * row + e / 8, row, _mm256_permute4x64_epi64(h, 0xd8));
  }
}

/* 32 lanes of 8 rows → 8 bytes for each group of 8 elements, by movemask of interleaved rows. */
static void unshuffle_block(uint8_t *to, const uint8_t *from, size_t n) {
  const size_t row = n / 8;
  for (size_t g = 0; g < row; g += 4) {
    for (int j = 0; j < 2; j++) {
      uint32_t words[8];
      for (int k = 0; k < 8; k++) memcpy(&words[k], from + (size_t)(8 * j + k) * row + g, 4);
      const __m256i x = _mm256_loadu_si256((const __m256i *)words);
      /* byte g of row k → byte k of group g */
      const __m256i order = _mm256_setr_epi8(0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15, 0, 4, 8, 12, 1,
                                             5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
      __m256i y = _mm256_permutevar8x32_epi32(_mm256_shuffle_epi8(x, order), _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7));
      for (int i = 7; i >= 0; i--) {
        const uint32_t bytes = (uint32_t)_mm256_movemask_epi8(y);
        for (int group = 0; group < 4; group++) to[((g + (size_t)group) * 8 + (size_t)i) * 2 + (size_t)j] = (uint8_t)(bytes >> (8 * group));
        y = _mm256_add_epi8(y, y);
      }
    }
  }
}

static size_t compress(uint8_t *to, const uint8_t *from, size_t n) {
  static uint8_t shuffled[2 * BLOCK];
  uint8_t *out = to;
  for (size_t e = 0; e < n; e += BLOCK) {
    shuffle_block(shuffled, from + 2 * e, BLOCK);
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
    unshuffle_block(to + 2 * e, shuffled, BLOCK);
    from += 4 + length;
  }
}

static void shuffle(uint8_t *to, const uint8_t *from, size_t n) {
  for (size_t e = 0; e < n; e += BLOCK) shuffle_block(to + 2 * e, from + 2 * e, BLOCK);
}
#define HAVE_AVX2 1
#else
static size_t compress(uint8_t *to, const uint8_t *from, size_t n) { (void)to, (void)from, (void)n; return 0; }
static void decompress(uint8_t *to, const uint8_t *from, size_t n) { (void)to, (void)from, (void)n; }
static void shuffle(uint8_t *to, const uint8_t *from, size_t n) { (void)to, (void)from, (void)n; }
#define HAVE_AVX2 0
#endif

int main(int argc, char **argv) {
  if (argc < 8) return 2;
  const size_t bytes = (size_t)atol(argv[2]), count = (size_t)atol(argv[3]);
  const char *const what = argv[4];
  const int package = strcmp(argv[5], "package") == 0, cold = strcmp(argv[6], "cold") == 0;
  const double wanted = atof(argv[7]) / 1e3;

  int package_avx2 = 0;
  if (package) {
    void *library = NULL;
    for (size_t i = 0; library == NULL && i < sizeof PLUGINS / sizeof *PLUGINS; i++) library = dlopen(PLUGINS[i], RTLD_NOW);
    if (library == NULL) return 3;
    package_shuffle = (package_function)dlsym(library, "bshuf_bitshuffle");
    package_compress = (package_function)dlsym(library, "bshuf_compress_lz4");
    package_decompress = (package_function)dlsym(library, "bshuf_decompress_lz4");
    package_avx2 = ((int (*)(void))dlsym(library, "bshuf_using_AVX2"))();
  } else {
    void *library = dlopen("liblz4.so.1", RTLD_NOW);
    if (library == NULL || !HAVE_AVX2) return 3;
    lz4_compress = (int (*)(const char *, char *, int, int))dlsym(library, "LZ4_compress_default");
    lz4_decompress = (int (*)(const char *, char *, int, int))dlsym(library, "LZ4_decompress_safe");
  }

  const int fd = open(argv[1], O_RDONLY);
  if (fd < 0) { perror(argv[1]); return 1; }
  const uint8_t *in = mmap(NULL, bytes * count, PROT_READ, MAP_SHARED | MAP_POPULATE, fd, 0);
  if (in == MAP_FAILED) { perror("mmap"); return 1; }
  const size_t unit = cold ? bytes : HOT, units = cold ? count : 1, room = unit + unit / 16 + 4096;
  uint8_t *out = aligned_alloc(4096, (room * units + 4095) / 4096 * 4096);
  uint8_t *back = aligned_alloc(4096, (unit * units + 4095) / 4096 * 4096);
  memset(out, 1, room * units);
  memset(back, 1, unit * units);
  size_t compressed = 0;
  for (size_t i = 0; i < units; i++) {
    if (package) compressed += (size_t)package_compress(in + i * unit, out + i * room, unit / 2, 2, 0);
    else compressed += compress(out + i * room, in + i * unit, unit / 2);
  }
  double start = 0, now = 0;
  size_t done = 0, i = 0;
  for (int round = 0; start == 0 || now - start < wanted; round++) {
    const uint8_t *const image = in + i * unit;
    uint8_t *const packed = out + i * room, *const unpacked = back + i * unit;
    if (strcmp(what, "shuffle") == 0) {
      if (package) package_shuffle(image, unpacked, unit / 2, 2, 0);
      else shuffle(unpacked, image, unit / 2);
    } else if (strcmp(what, "compress") == 0) {
      if (package) package_compress(image, packed, unit / 2, 2, 0);
      else compress(packed, image, unit / 2);
    } else {
      if (package) package_decompress(packed, unpacked, unit / 2, 2, 0);
      else decompress(unpacked, packed, unit / 2);
    }
    if (++i == units) i = 0;
    now = seconds();
    if (round == 4) start = now; /* warm from here on */
    else if (start != 0) done += unit;
  }
  if (strcmp(what, "decompress") == 0 && memcmp(back, in, unit) != 0) { fputs("wrong pixels\n", stderr); return 1; }
  printf("{\"gb_per_s\":%.4f,\"compressed\":%.5f,\"package_avx2\":%d}\n", (double)done / 1e9 / (now - start),
         (double)compressed / (double)(unit * units), package_avx2);
  return 0;
}
