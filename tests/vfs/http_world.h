/* What the HTTP tests share: a client and a server that misbehaves on demand. */
#ifndef STOA_TESTS_HTTP_WORLD_H
#define STOA_TESTS_HTTP_WORLD_H

#include "support.h"

#include <stdio.h>
#include <string.h>

#include "server.h"
#include "vfs/http_client.h"

enum { URL_BYTES = 1024 };

struct http_world {
    support_server server;
    stoa_pool *pool;
    stoa_http_client *client;
    stoa_context context;
    stoa_error err;
};

/* Byte i of the server's files. */
static inline uint8_t byte_at(uint64_t i) {
    return (uint8_t)(i % 251);
}

static inline void assert_content(const void *bytes, uint64_t offset, size_t size) {
    for (size_t i = 0; i < size; i++) {
        if (((const uint8_t *)bytes)[i] != byte_at(offset + i)) {
            fail_msg("byte %zu of %zu at %llu is wrong", i, size, (unsigned long long)offset);
        }
    }
}

/* Text of a URL of the server; a few are alive at a time. */
__attribute__((format(printf, 2, 3))) static inline const char *url_at(
    const struct http_world *world, const char *format, ...) {
    static char texts[8][URL_BYTES];
    static int next;
    char *text = texts[next++ % 8];
    int length = snprintf(text, URL_BYTES, "http://127.0.0.1:%d", world->server.port);
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text + length, (size_t)(URL_BYTES - length), format, arguments);
    va_end(arguments);
    return text;
}

#endif
