/* A client's lanes: a lane is one multi handle of libcurl with its kept connections.
 *
 * A call takes an idle lane (the last one used, whose connections are the freshest), runs its
 * requests on the caller's own thread, and puts the lane back. So threads never wait for each other,
 * no lock is taken for a byte that comes, and TLS is decrypted on as many cores as there are
 * callers. */
#ifndef STOA_VFS_HTTP_LANE_H
#define STOA_VFS_HTTP_LANE_H

#include <pthread.h>

#include "vfs/http_transfer.h"

struct lane {
    struct lane *next;
    CURLM *multi;
    CURL *easy[STOA_HTTP_CONNECTIONS_MAX]; /* idle handles */
    int easy_count;
};

struct stoa_http_client {
    pthread_mutex_t lock; /* over `idle` and `idle_count` */
    struct lane *idle;
    int idle_count;
    stoa_pool *pool;
    int32_t connections;
    struct http_settings settings;
};

/// Takes an idle lane or makes one; the caller gives it back.
STOA_MUST_USE stoa_status stoa_http_lane_take(stoa_http_client *client,
                                              const struct stoa_curl *curl, struct lane **out,
                                              stoa_error *err);
void stoa_http_lane_give(stoa_http_client *client, const struct stoa_curl *curl, struct lane *lane);
/// Starts `transfer`, whose fields are set, at `url`.
STOA_MUST_USE stoa_status stoa_http_lane_begin(struct lane *lane, struct http_transfer *transfer,
                                               const char *url, stoa_error *err);
/// Takes the transfer off libcurl; one that runs is cut.
void stoa_http_lane_end(struct lane *lane, struct http_transfer *transfer);
/// Lets libcurl work; `out_running` is how many transfers have not ended.
STOA_MUST_USE stoa_status stoa_http_lane_work(struct lane *lane, const struct stoa_curl *curl,
                                              int *out_running, stoa_error *err);
/// The next transfer that libcurl is done with, and how it ended; NULL when there is none.
struct http_transfer *stoa_http_lane_done(struct lane *lane, const struct stoa_curl *curl,
                                          CURLcode *out_code);
/// Waits until something can be done, or for as long as a token may go unseen.
STOA_MUST_USE stoa_status stoa_http_lane_wait(struct lane *lane, const struct stoa_curl *curl,
                                              const stoa_cancel *token, stoa_error *err);

#endif
