/* Packets → frames of a Jungfrau module, without a socket: what the reassembly kernel is compared with.
 *
 *   reassemble <place|copy> <order|reverse> <ms>
 *
 * place: packets lie where a vector, made anew for each batch, predicted them; headers are checked, bits set,
 * complete frames queued. copy: the same of packets that lie in one buffer, as received without prediction:
 * their pixels are copied to their frame. A batch is the 128 packets of a frame, from a ring of 128 of them;
 * in reverse, none is where it was predicted, and place copies, too. Prints {"ns"}: CPU time per packet.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define PACKETS 128
#define PAYLOAD 8192
#define SLOTS 128
#define TABLE 256
#define WINDOW 4

struct header {
  uint64_t frame;
  uint32_t exposure, packet;
  uint64_t bunch, timestamp;
  uint16_t module, row, column, spec2;
  uint32_t spec3;
  uint16_t spec4;
  uint8_t type, version;
} __attribute__((packed));

struct entry {
  uint64_t frame, image, first_ns, last_ns;
  uint32_t slot, open, received;
  struct header header;
  uint64_t bitmap[PACKETS / 64];
};

static struct header headers[PACKETS];
static struct mmsghdr messages[PACKETS];
static struct iovec vectors[2 * PACKETS];
static struct { uint64_t frame, packet; } expected[PACKETS];
static struct entry table[TABLE], queue[TABLE];
static uint64_t oldest, newest, next_frame, accepted, duplicate, malformed, foreign, late, good, locks[SLOTS];
static uint32_t next_packet, queued;
static uint8_t *frames, *buffer;

/* CPU time: what else the machine does should not count. */
static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

__attribute__((noinline)) static void arm(void) {
  uint64_t frame = next_frame;
  uint32_t packet = next_packet;
  for (int i = 0; i < PACKETS; i++) {
    if (packet == 0 || i == 0) locks[frame % SLOTS] |= 1;
    vectors[2 * i + 1].iov_base = frames + ((frame % SLOTS) * PACKETS + packet) * PAYLOAD;
    expected[i].frame = frame;
    expected[i].packet = packet;
    if (++packet == PACKETS) packet = 0, frame++;
  }
}

static void close_entry(struct entry *e) {
  good++;
  e->open = 0;
  locks[e->slot]++;
  queue[queued++] = *e;
}

__attribute__((noinline)) static void handle(int n, int copy, uint64_t now) {
  for (int i = 0; i < n; i++) {
    const struct header *h = &headers[i];
    if (messages[i].msg_len != sizeof *h + PAYLOAD || h->version != 2 || h->packet >= PACKETS) { malformed++; continue; }
    if (h->type != 3 || h->module != 7 || h->row != 1 || h->column != 2) { foreign++; continue; }
    if (h->frame < oldest || h->frame > newest + WINDOW) { late++; continue; }
    struct entry *const e = &table[h->frame % TABLE];
    if (e->frame != h->frame || !e->open) {
      memset(e, 0, sizeof *e);
      e->frame = h->frame;
      e->image = h->bunch != 0 ? h->bunch : h->frame;
      e->slot = (uint32_t)(e->image % SLOTS);
      e->open = 1;
      e->first_ns = now;
      e->header = *h;
      if (h->frame > newest) newest = h->frame;
    }
    uint64_t *const word = &e->bitmap[h->packet / 64];
    const uint64_t bit = 1ull << (h->packet % 64);
    if (*word & bit) { duplicate++; continue; }
    *word |= bit;
    e->received++;
    e->last_ns = now;
    accepted++;
    if (copy || expected[i].frame != h->frame || expected[i].packet != h->packet) {
      memcpy(frames + ((size_t)e->slot * PACKETS + h->packet) * PAYLOAD, buffer + (size_t)i * PAYLOAD, PAYLOAD);
    }
    next_frame = h->packet + 1 == PACKETS ? h->frame + 1 : h->frame;
    next_packet = (h->packet + 1) % PACKETS;
    if (e->received == PACKETS) {
      close_entry(e);
      oldest = h->frame + 1;
      next_frame = oldest;
      next_packet = 0;
    }
  }
}

int main(int argc, char **argv) {
  if (argc < 4) return 2;
  const int copy = strcmp(argv[1], "copy") == 0, reverse = strcmp(argv[2], "reverse") == 0;
  const double wanted = atof(argv[3]) / 1e3;
  frames = aligned_alloc(4096, (size_t)SLOTS * PACKETS * PAYLOAD);
  buffer = aligned_alloc(4096, (size_t)PACKETS * PAYLOAD);
  memset(frames, 1, (size_t)SLOTS * PACKETS * PAYLOAD);
  memset(buffer, 2, (size_t)PACKETS * PAYLOAD);
  for (int i = 0; i < PACKETS; i++) {
    vectors[2 * i] = (struct iovec){&headers[i], sizeof *headers};
    vectors[2 * i + 1].iov_len = PAYLOAD;
    messages[i].msg_hdr.msg_iov = &vectors[2 * i];
    messages[i].msg_hdr.msg_iovlen = 2;
    messages[i].msg_len = sizeof *headers + PAYLOAD;
    headers[i] = (struct header){.packet = (uint32_t)(reverse ? PACKETS - 1 - i : i), .module = 7, .row = 1, .column = 2, .type = 3, .version = 2};
  }
  uint64_t frame = 1;
  oldest = newest = next_frame = frame;
  double start = 0, now = 0;
  size_t done = 0;
  for (int round = 0; start == 0 || now - start < wanted; round++) {
    for (int k = 0; k < 64; k++, frame++) {
      for (int i = 0; i < PACKETS; i++) headers[i].frame = frame;
      arm();
      handle(PACKETS, copy, frame);
      queued = 0;
      done += PACKETS;
    }
    now = seconds();
    if (round == 20) start = now, done = 0; /* warm from here on */
  }
  if (good + 1 != frame || accepted != good * PACKETS) return 1;
  printf("{\"ns\":%.3f}\n", (now - start) * 1e9 / (double)done);
  return 0;
}
