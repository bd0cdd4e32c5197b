/*
 * What TCP knows of a stream's path, and how fast it may send. Apart from stream.c because the
 * kernel's header and libc's do not go together.
 */
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include "io/stream.h"

bool stream_look_at_path(const struct stream *s, struct stream_path *path)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof(info);
    /* Kernels before 4.9 fill in less. */
    if (getsockopt(stream_tcp_fd(s), IPPROTO_TCP, TCP_INFO, &info, &size) != 0 ||
        size < offsetof(struct tcp_info, tcpi_delivery_rate) + sizeof(info.tcpi_delivery_rate))
        return false;
    path->round_trip_us = info.tcpi_rtt;
    path->least_round_trip_us = info.tcpi_min_rtt;
    path->delivered = info.tcpi_delivery_rate;
    return info.tcpi_rtt > 0 && info.tcpi_min_rtt > 0;
}

void stream_limit_pace(struct stream *s, uint64_t bytes_per_s)
{
    uint64_t value = bytes_per_s ? bytes_per_s : UINT64_MAX;
    (void)setsockopt(stream_tcp_fd(s), SOL_SOCKET, SO_MAX_PACING_RATE, &value, sizeof(value));
}
