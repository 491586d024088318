/* Sends the UDP packets of one detector module: a bare sendmmsg loop, to load receivers with.
 *
 *   send <ip> <port> <jungfrau|eiger> <packets per frame> <frames> <rate> <batch> [stamps]
 *
 * rate: packets/s, 0 for as fast as possible. With `stamps`, the last packet of each frame is sent
 * by a call of its own, and the monotonic time right before that call is written to the file: one
 * pair of u64 {image id, ns} per frame.
 *
 * Prints {"packets", "seconds"}. Header: SLS detector header version 2, 48 bytes, little endian.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <time.h>

#define HEADER 48
#define SOURCES 4 /* distinct frames */

static uint64_t now_ns(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000ull + (uint64_t)t.tv_nsec;
}

/* Sleeps, then polls the clock for the last stretch. */
static void wait_until(uint64_t due) {
  for (uint64_t now = now_ns(); now < due; now = now_ns()) {
    if (due - now < 200000) continue;
    struct timespec t = {0, (long)((due - now - 150000) % 1000000000ull)};
    nanosleep(&t, NULL);
  }
}

static void send_all(int fd, struct mmsghdr *messages, unsigned n) {
  for (unsigned done = 0; done < n;) {
    int sent = sendmmsg(fd, messages + done, n - done, 0);
    if (sent > 0) done += (unsigned)sent;
    else if (errno != ECONNREFUSED && errno != EINTR) { perror("sendmmsg"); exit(1); }
  }
}

int main(int argc, char **argv) {
  if (argc < 8) return 2;
  const int jungfrau = strcmp(argv[3], "jungfrau") == 0;
  const unsigned payload = jungfrau ? 8192 : 4096;
  const unsigned per_frame = (unsigned)atoi(argv[4]), batch = (unsigned)atoi(argv[7]);
  const uint64_t frames = strtoull(argv[5], NULL, 10);
  const double rate = atof(argv[6]);
  FILE *stamps = argc > 8 ? fopen(argv[8], "wb") : NULL;

  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  int size = 16 << 20;
  if (setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) != 0)
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2]))};
  inet_pton(AF_INET, argv[1], &to.sin_addr);
  if (connect(fd, (struct sockaddr *)&to, sizeof to) != 0) { perror("connect"); return 1; }

  uint8_t *pixels = malloc((size_t)SOURCES * per_frame * payload);
  for (size_t i = 0; i < (size_t)SOURCES * per_frame * payload; i++) pixels[i] = (uint8_t)(i * 31 >> 3);
  uint8_t *headers = calloc(per_frame, HEADER);
  struct iovec *iov = calloc(2 * per_frame, sizeof *iov);
  struct mmsghdr *messages = calloc(per_frame, sizeof *messages);
  for (unsigned p = 0; p < per_frame; p++) {
    uint8_t *h = headers + p * HEADER;
    memcpy(h + 12, &p, 4);
    h[46] = jungfrau ? 3 : 1;
    h[47] = 2;
    iov[2 * p] = (struct iovec){h, HEADER};
    iov[2 * p + 1].iov_len = payload;
    messages[p].msg_hdr.msg_iov = iov + 2 * p;
    messages[p].msg_hdr.msg_iovlen = 2;
  }

  const uint64_t start = now_ns();
  uint64_t packets = 0;
  for (uint64_t frame = 1; frame <= frames; frame++) {
    const double bunch = (double)frame;
    for (unsigned p = 0; p < per_frame; p++) {
      memcpy(headers + p * HEADER, &frame, 8);
      if (jungfrau) memcpy(headers + p * HEADER + 16, &bunch, 8);
      iov[2 * p + 1].iov_base = pixels + ((size_t)(frame % SOURCES) * per_frame + p) * payload;
    }
    /* Stamped: the frame goes out at once at its time, its last packet by itself. */
    if (stamps && rate > 0) wait_until(start + (uint64_t)((double)packets / rate * 1e9));
    const unsigned head = stamps ? per_frame - 1 : per_frame;
    for (unsigned p = 0; p < head; p += batch) {
      const unsigned n = head - p < batch ? head - p : batch;
      if (!stamps && rate > 0) wait_until(start + (uint64_t)((double)packets / rate * 1e9));
      send_all(fd, messages + p, n);
      packets += n;
    }
    if (stamps) {
      const uint64_t stamp[2] = {frame, now_ns()};
      send_all(fd, messages + head, 1);
      packets++;
      fwrite(stamp, sizeof stamp, 1, stamps);
    }
  }
  if (stamps) fclose(stamps);
  printf("{\"packets\":%llu,\"seconds\":%.6f}\n", (unsigned long long)packets,
         (double)(now_ns() - start) / 1e9);
  return 0;
}
