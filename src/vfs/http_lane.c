/* Clients and their lanes: libcurl's multi interface, driven by whoever calls. */
#include "vfs/http_lane.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    CONNECTIONS_DEFAULT = 16,
    CONNECT_TIMEOUT_MS = 10000,
    STALL_TIMEOUT_MS = 30000,
    IDLE_LANES_MAX = 16,
    POLL_TOKEN_MS = 4 /* a token cannot wake anybody: it is looked at so often */
};

static void lane_close(stoa_http_client *client, const struct stoa_curl *curl, struct lane *lane) {
    for (int i = 0; i < lane->easy_count; i++) {
        curl->curl_easy_cleanup(lane->easy[i]);
    }
    (void)curl->curl_multi_cleanup(lane->multi);
    stoa_pool_free(client->pool, lane, sizeof *lane);
}

static stoa_status lane_open(stoa_http_client *client, const struct stoa_curl *curl,
                             struct lane **out, stoa_error *err) {
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate_array(client->pool, 1, sizeof(struct lane), &memory, err));
    struct lane *lane = memory;
    lane->multi = curl->curl_multi_init();
    if (lane->multi == NULL) {
        stoa_pool_free(client->pool, lane, sizeof *lane);
        return stoa_fail(err, STOA_NO_MEMORY, "no memory for libcurl");
    }
    (void)curl->curl_multi_setopt(lane->multi, CURLMOPT_MAXCONNECTS, (long)client->connections);
    *out = lane;
    return STOA_OK;
}

stoa_status stoa_http_lane_take(stoa_http_client *client, const struct stoa_curl *curl,
                                struct lane **out, stoa_error *err) {
    pthread_mutex_lock(&client->lock);
    struct lane *lane = client->idle;
    if (lane != NULL) {
        client->idle = lane->next;
        client->idle_count--;
    }
    pthread_mutex_unlock(&client->lock);
    *out = lane;
    return lane != NULL ? STOA_OK : lane_open(client, curl, out, err);
}

void stoa_http_lane_give(stoa_http_client *client, const struct stoa_curl *curl,
                         struct lane *lane) {
    pthread_mutex_lock(&client->lock);
    bool kept = client->idle_count < IDLE_LANES_MAX;
    if (kept) {
        lane->next = client->idle;
        client->idle = lane;
        client->idle_count++;
    }
    pthread_mutex_unlock(&client->lock);
    if (!kept) {
        lane_close(client, curl, lane);
    }
}

static CURL *lane_take_easy(struct lane *lane, const struct stoa_curl *curl) {
    if (lane->easy_count == 0) {
        return curl->curl_easy_init();
    }
    CURL *easy = lane->easy[--lane->easy_count];
    curl->curl_easy_reset(easy);
    return easy;
}

static void lane_give_easy(struct lane *lane, const struct stoa_curl *curl, CURL *easy) {
    if (lane->easy_count < STOA_HTTP_CONNECTIONS_MAX) {
        lane->easy[lane->easy_count++] = easy;
    } else {
        curl->curl_easy_cleanup(easy);
    }
}

stoa_status stoa_http_lane_begin(struct lane *lane, struct http_transfer *transfer, const char *url,
                                 stoa_error *err) {
    transfer->easy = lane_take_easy(lane, transfer->curl);
    if (transfer->easy == NULL) {
        return stoa_fail(err, STOA_NO_MEMORY, "no memory for libcurl");
    }
    STOA_TRY(stoa_http_transfer_prepare(transfer, url, err));
    CURLMcode code = transfer->curl->curl_multi_add_handle(lane->multi, transfer->easy);
    if (code != CURLM_OK) {
        return stoa_fail(err, code == CURLM_OUT_OF_MEMORY ? STOA_NO_MEMORY : STOA_INTERNAL,
                         "libcurl takes no request: %s", transfer->curl->curl_multi_strerror(code));
    }
    return STOA_OK;
}

/* Takes the transfer off libcurl; one that runs is cut. A handle whose transfer failed may still hold
 * its receive buffer, and then takes no size for a new one: it is not used again. */
void stoa_http_lane_end(struct lane *lane, struct http_transfer *transfer) {
    if (transfer->easy == NULL) {
        return;
    }
    (void)transfer->curl->curl_multi_remove_handle(lane->multi, transfer->easy);
    stoa_http_transfer_release(transfer);
    if (transfer->completed) {
        lane_give_easy(lane, transfer->curl, transfer->easy);
    } else {
        transfer->curl->curl_easy_cleanup(transfer->easy);
    }
    transfer->easy = NULL;
}

static stoa_status check_multi(const struct stoa_curl *curl, CURLMcode code, stoa_error *err) {
    return code == CURLM_OK
               ? STOA_OK
               : stoa_fail(err, code == CURLM_OUT_OF_MEMORY ? STOA_NO_MEMORY : STOA_INTERNAL,
                           "libcurl fails: %s", curl->curl_multi_strerror(code));
}

stoa_status stoa_http_lane_work(struct lane *lane, const struct stoa_curl *curl, int *out_running,
                                stoa_error *err) {
    return check_multi(curl, curl->curl_multi_perform(lane->multi, out_running), err);
}

struct http_transfer *stoa_http_lane_done(struct lane *lane, const struct stoa_curl *curl,
                                          CURLcode *out_code) {
    int left = 0;
    struct http_transfer *transfer = NULL;
    const CURLMsg *message = curl->curl_multi_info_read(lane->multi, &left);
    if (message != NULL) {
        *out_code = message->data.result;
        (void)curl->curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &transfer);
        transfer->completed = *out_code == CURLE_OK;
    }
    return transfer;
}

stoa_status stoa_http_lane_wait(struct lane *lane, const struct stoa_curl *curl,
                                const stoa_cancel *token, stoa_error *err) {
    int timeout_ms = token != NULL ? POLL_TOKEN_MS : HTTP_LOOK_MS;
    return check_multi(curl, curl->curl_multi_poll(lane->multi, NULL, 0, timeout_ms, NULL), err);
}

/* The client ------------------------------------------------------------------------------------*/

static const char *default_ca_file(void) {
    static const char *const names[] = {"STOA_CA_FILE", "SSL_CERT_FILE"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *value = getenv(names[i]);
        if (value != NULL && value[0] != '\0') {
            return value;
        }
    }
    return NULL;
}

static stoa_status check_options(const stoa_http_options *options, stoa_error *err) {
    if (options->connect_timeout_ms < 0 || options->connect_timeout_ms > INT32_MAX ||
        options->stall_timeout_ms < 0 || options->stall_timeout_ms > INT32_MAX) {
        return stoa_fail(err, STOA_INVALID, "expected a timeout of 0 to %d ms", INT32_MAX);
    }
    if (options->connections < 0 || options->connections > STOA_HTTP_CONNECTIONS_MAX) {
        return stoa_fail(err, STOA_INVALID, "expected 0 to %d connections but found %d",
                         STOA_HTTP_CONNECTIONS_MAX, options->connections);
    }
    return STOA_OK;
}

stoa_status stoa_http_client_create(stoa_pool *pool, const stoa_http_options *options,
                                    stoa_http_client **out, stoa_error *err) {
    static const stoa_http_options defaults = {0};
    void *memory = NULL;
    *out = NULL;
    options = options != NULL ? options : &defaults;
    STOA_TRY(check_options(options, err));
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof(stoa_http_client), &memory, err));
    stoa_http_client *client = memory;
    const char *ca_file = options->ca_file != NULL ? options->ca_file : default_ca_file();
    stoa_status status = stoa_pool_copy_string(pool, ca_file, &client->settings.ca_file, err);
    if (status != STOA_OK) {
        stoa_pool_free(pool, client, sizeof *client);
        return status;
    }
    (void)pthread_mutex_init(&client->lock, NULL);
    client->pool = pool;
    client->connections = options->connections > 0 ? options->connections : CONNECTIONS_DEFAULT;
    client->settings.connect_timeout_ms = options->connect_timeout_ms > 0
                                              ? options->connect_timeout_ms
                                              : CONNECT_TIMEOUT_MS;
    client->settings.stall_timeout_ms = options->stall_timeout_ms > 0 ? options->stall_timeout_ms
                                                                      : STALL_TIMEOUT_MS;
    if (options->connect_port != 0) {
        (void)snprintf(client->settings.connect_to, sizeof client->settings.connect_to,
                       "::127.0.0.1:%d", options->connect_port);
    }
    *out = client;
    return STOA_OK;
}

void stoa_http_client_close(stoa_http_client *client) {
    if (client == NULL) {
        return;
    }
    const struct stoa_curl *curl = NULL;
    while (client->idle != NULL) {
        /* There is a lane, so libcurl is loaded. */
        STOA_IGNORE(stoa_curl_load(&curl, NULL));
        struct lane *lane = client->idle;
        client->idle = lane->next;
        lane_close(client, curl, lane);
    }
    (void)pthread_mutex_destroy(&client->lock);
    stoa_pool_free_string(client->pool, client->settings.ca_file);
    stoa_pool_free(client->pool, client, sizeof *client);
}
