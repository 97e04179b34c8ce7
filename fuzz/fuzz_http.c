/* What servers answer, over HTTP: any bytes are a file, an answer or an error. The input is what the
 * server sends on every connection, after which it ends; nothing leaves the machine. */
#include <netinet/in.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/error.h"
#include "mem/pool.h"
#include "vfs/http_fields.h"
#include "vfs/http_file.h"

enum { POOL_BYTES = 64 << 20, ANSWER_BYTES_MAX = 128 << 10, PIECE = 777 };

/* What the server says now; one for the process, as its port is. */
static struct {
    pthread_mutex_t lock; /* over `size` and `data` */
    size_t size;
    uint8_t data[ANSWER_BYTES_MAX];
    int port;
} server = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void answer(int connection) {
    uint8_t bytes[1024];
    pthread_mutex_lock(&server.lock);
    /* What does not fit into the buffers of the connection is lost: the answer is cut there. */
    (void)!send(connection, server.data, server.size, MSG_DONTWAIT | MSG_NOSIGNAL);
    pthread_mutex_unlock(&server.lock);
    (void)shutdown(connection, SHUT_WR);
    while (recv(connection, bytes, sizeof bytes, 0) > 0) {
    }
    (void)close(connection);
}

static void *serve(void *user) {
    int listener = (int)(intptr_t)user;
    for (;;) {
        int connection = accept(listener, NULL, NULL);
        if (connection >= 0) {
            answer(connection);
        }
    }
    return NULL;
}

static void start_server(void) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    pthread_t thread;
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, size) != 0 ||
        listen(listener, 64) != 0 ||
        getsockname(listener, (struct sockaddr *)&address, &size) != 0 ||
        pthread_create(&thread, NULL, serve, (void *)(intptr_t)listener) != 0) {
        abort();
    }
    server.port = ntohs(address.sin_port);
}

static void set_answer(const uint8_t *data, size_t size) {
    pthread_mutex_lock(&server.lock);
    server.size = size < ANSWER_BYTES_MAX ? size : ANSWER_BYTES_MAX;
    memcpy(server.data, data, server.size);
    pthread_mutex_unlock(&server.lock);
}

/* Every header's value through every parser of values. */
static void parse_fields(const stoa_http_response *response) {
    const char *line = (const char *)response->headers.data;
    const char *end = line + response->headers.size;
    for (; line < end; line += strlen(line) + 1) {
        const char *value = strstr(line, ": ");
        if (value == NULL) {
            __builtin_trap(); /* a header without its colon was kept */
        }
        uint64_t number = 0;
        int64_t date_ms = 0;
        stoa_http_range range;
        (void)stoa_http_number_parse(value + 2, &number);
        (void)stoa_http_date_parse(value + 2, &date_ms);
        if (stoa_http_range_parse(value + 2, &range) &&
            (range.begin > range.end || (range.has_total && range.end > range.total))) {
            __builtin_trap();
        }
    }
    if (stoa_http_retry_after_ms(response, 0) < 0) {
        __builtin_trap();
    }
}

static void perform(stoa_http_client *client, const stoa_context *context) {
    static uint8_t buffer[100];
    const stoa_http_request requests[] = {
        {.method = "GET", .url = "http://test/", .body_limit = 1 << 16, .follows_redirects = true},
        {.method = "GET",
         .url = "http://test/",
         .buffer = buffer,
         .buffer_size = sizeof buffer,
         .wanted_status = 206},
    };
    for (size_t i = 0; i < 2; i++) {
        stoa_http_response response;
        stoa_error err = STOA_ERROR_NONE;
        stoa_status status = stoa_http_perform(client, &requests[i], 1, &response, NULL, NULL,
                                               context, &err);
        if (status != STOA_OK && err.message[0] == '\0') {
            __builtin_trap();
        }
        parse_fields(&response);
        stoa_http_response_release(&response, context->pool);
    }
}

/* The whole of a file: first look, ranges, reading in order. One attempt each: what is broken stays
 * broken. */
static void read_file(stoa_http_client *client, const stoa_context *context) {
    struct http_fs fs = {.pool = context->pool, .client = client, .attempts = 1};
    struct http_target target;
    struct http_probe probe;
    stoa_file *file = NULL;
    uint8_t bytes[PIECE];
    if (stoa_http_target_init(&target, &fs, "http", "//test/f", context->pool, NULL) != STOA_OK) {
        return;
    }
    if (stoa_http_probe(&target, context, &probe, NULL) != STOA_OK) {
        stoa_http_target_release(&target);
        return;
    }
    stoa_file_info info;
    stoa_http_pin_info(&probe.pin, &info);
    if (stoa_http_file_open(&target, &probe, context, &file, NULL) != STOA_OK) {
        return;
    }
    size_t got = 0;
    uint64_t size = 0;
    const stoa_read_range ranges[] = {{0, 3, bytes}, {5, 3, bytes + 5}};
    STOA_IGNORE(stoa_file_read_some(file, 0, bytes, sizeof bytes, &got, NULL)); /* any answer */
    STOA_IGNORE(stoa_file_read_some(file, 9, bytes, sizeof bytes, &got, NULL));
    STOA_IGNORE(stoa_file_read_vector(file, ranges, 2, NULL));
    STOA_IGNORE(stoa_file_size(file, &size, NULL));
    stoa_file_close(file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (server.port == 0) {
        start_server();
    }
    set_answer(data, size);
    const stoa_http_options options = {.connect_port = server.port,
                                       .connect_timeout_ms = 1000,
                                       .stall_timeout_ms = 1000};
    stoa_http_client *client = NULL;
    stoa_context context = {0};
    if (stoa_pool_create(POOL_BYTES, NULL, &context.pool, NULL) != STOA_OK) {
        return 0;
    }
    if (stoa_http_client_create(context.pool, &options, &client, NULL) == STOA_OK) {
        perform(client, &context);
        read_file(client, &context);
        stoa_http_client_close(client);
    }
    if (stoa_pool_used(context.pool) != 0) {
        __builtin_trap(); /* a leak */
    }
    stoa_pool_close(context.pool);
    return 0;
}
