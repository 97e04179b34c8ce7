/* The schemes http and https: files to read, one request or more each. HTTP knows no directories and
 * nothing here parses the pages that servers make of them, so there is no listing.
 *
 * What is written about a file on the way (http_target.c, http_pin.c): RFC 9110. */
#include "vfs/http_fs.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "vfs/registry.h"
#include "vfs/vfs.h"

enum { ATTEMPTS_DEFAULT = 5, ATTEMPTS_MAX = 1000 };

struct scheme {
    struct http_fs *fs;
    const char *name;
};

static stoa_status look(const struct scheme *scheme, const char *path, const stoa_context *context,
                        struct http_target *target, struct http_probe *probe, stoa_error *err) {
    STOA_TRY(stoa_http_target_init(target, scheme->fs, scheme->name, path, context->pool, err));
    stoa_status status = stoa_http_probe(target, context, probe, err);
    if (status != STOA_OK) {
        stoa_http_target_release(target);
    }
    return status;
}

static stoa_status http_open(void *state, const char *path, stoa_open_mode mode,
                             const stoa_context *context, stoa_file **out, stoa_error *err) {
    const struct scheme *scheme = state;
    struct http_target target;
    struct http_probe probe;
    if (mode != STOA_OPEN_READ) {
        return stoa_fail(err, STOA_UNSUPPORTED, "files by %s can only be read", scheme->name);
    }
    STOA_TRY(look(scheme, path, context, &target, &probe, err));
    return stoa_http_file_open(&target, &probe, context, out, err);
}

static stoa_status http_stat(void *state, const char *path, const stoa_context *context,
                             stoa_file_info *out, stoa_error *err) {
    struct http_target target;
    struct http_probe probe;
    STOA_TRY(look(state, path, context, &target, &probe, err));
    stoa_http_pin_info(&probe.pin, out);
    stoa_pool_free_string(target.pool, probe.final_url);
    stoa_http_target_release(&target);
    return STOA_OK;
}

static void fs_release(struct http_fs *fs) {
    if (atomic_fetch_sub_explicit(&fs->references, 1, memory_order_acq_rel) != 1) {
        return;
    }
    stoa_pool *pool = fs->pool;
    stoa_http_client_close(fs->client);
    for (size_t i = 0; i < fs->header_count; i++) {
        stoa_pool_free_string(pool, fs->headers[i]);
    }
    stoa_pool_free_string(pool, fs->origin);
    stoa_pool_free_string(pool, fs->user);
    stoa_pool_free_string(pool, fs->password);
    stoa_pool_free(pool, fs, sizeof *fs);
}

static void http_fs_close(void *state) {
    struct scheme *scheme = state;
    stoa_pool *pool = scheme->fs->pool;
    fs_release(scheme->fs);
    stoa_pool_free(pool, scheme, sizeof *scheme);
}

static const stoa_fs_operations operations = {
    .open = http_open,
    .stat = http_stat,
    .close = http_fs_close,
    .features = STOA_FS_REMOTE | STOA_FS_NO_DIRECTORIES,
};

/* Options ----------------------------------------------------------------------------------------*/

static stoa_status check_line(const char *text, const char *what, stoa_error *err) {
    for (const char *c = text; c != NULL && *c != '\0'; c++) {
        if ((unsigned char)*c < ' ' && *c != '\t') {
            return stoa_fail(err, STOA_INVALID, "%s holds a control character", what);
        }
    }
    return STOA_OK;
}

static bool has_credentials(const stoa_http_fs_options *options) {
    return options->user != NULL || options->password != NULL || options->bearer != NULL ||
           options->header_count > 0;
}

static stoa_status check_options(const stoa_http_fs_options *options, stoa_error *err) {
    STOA_TRY(check_line(options->user, "the user", err));
    STOA_TRY(check_line(options->password, "the password", err));
    STOA_TRY(check_line(options->bearer, "the bearer token", err));
    if (options->header_count > STOA_HTTP_HEADERS_MAX) {
        return stoa_fail(err, STOA_INVALID, "expected at most %d headers but found %zu",
                         STOA_HTTP_HEADERS_MAX, options->header_count);
    }
    for (size_t i = 0; i < options->header_count; i++) {
        STOA_TRY(check_line(options->headers[i], "a header", err));
        const char *colon = strchr(options->headers[i], ':');
        if (colon == NULL || colon == options->headers[i]) {
            return stoa_fail(err, STOA_INVALID, "expected a header of the form 'Name: value'");
        }
    }
    if (options->attempts < 0 || options->attempts > ATTEMPTS_MAX) {
        return stoa_fail(err, STOA_INVALID, "expected 0 to %d attempts but found %d", ATTEMPTS_MAX,
                         options->attempts);
    }
    return STOA_OK;
}

static stoa_status add_header(struct http_fs *fs, const char *text, stoa_error *err) {
    STOA_TRY(stoa_pool_copy_string(fs->pool, text, &fs->headers[fs->header_count], err));
    fs->header_count++;
    return STOA_OK;
}

static stoa_status add_bearer(struct http_fs *fs, const char *token, stoa_error *err) {
    stoa_buffer line = {.pool = fs->pool};
    const char *text = NULL;
    stoa_status status = STOA_OK;
    if (token == NULL) {
        return STOA_OK;
    }
    STOA_CHECK(stoa_buffer_append_text(&line, "Authorization: Bearer ", err));
    STOA_CHECK(stoa_buffer_append_text(&line, token, err));
    STOA_CHECK(stoa_buffer_text(&line, &text, err));
    STOA_CHECK(add_header(fs, text, err));

done:
    stoa_buffer_release(&line);
    return status;
}

/* A bare host means https: a token is not to cross a network for all to read by an oversight. */
static stoa_status copy_origin(struct http_fs *fs, const char *origin, stoa_error *err) {
    stoa_buffer text = {.pool = fs->pool};
    const char *view = NULL;
    stoa_status status = STOA_OK;
    if (origin == NULL) {
        return STOA_OK;
    }
    STOA_CHECK(
        stoa_buffer_append_text(&text, strstr(origin, "://") == NULL ? "https://" : "", err));
    STOA_CHECK(stoa_buffer_append_text(&text, origin, err));
    STOA_CHECK(stoa_buffer_text(&text, &view, err));
    STOA_CHECK(stoa_pool_copy_string(fs->pool, view, &fs->origin, err));

done:
    stoa_buffer_release(&text);
    return status;
}

static stoa_status fs_create(stoa_pool *pool, const stoa_http_fs_options *options,
                             struct http_fs **out, stoa_error *err) {
    const stoa_http_options transport = {
        .connect_timeout_ms = options->connect_timeout_ms,
        .stall_timeout_ms = options->stall_timeout_ms,
        .connections = options->connections,
        .ca_file = options->ca_file,
    };
    void *memory = NULL;
    stoa_status status = STOA_OK;
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof(struct http_fs), &memory, err));
    struct http_fs *fs = memory;
    atomic_init(&fs->references, 1);
    fs->pool = pool;
    fs->attempts = options->attempts > 0 ? options->attempts : ATTEMPTS_DEFAULT;
    STOA_CHECK(copy_origin(fs, options->origin, err));
    STOA_CHECK(stoa_pool_copy_string(pool, options->user, &fs->user, err));
    STOA_CHECK(stoa_pool_copy_string(pool, options->password, &fs->password, err));
    for (size_t i = 0; i < options->header_count; i++) {
        STOA_CHECK(add_header(fs, options->headers[i], err));
    }
    STOA_CHECK(add_bearer(fs, options->bearer, err));
    STOA_CHECK(stoa_http_client_create(pool, &transport, &fs->client, err));
    *out = fs;
    return STOA_OK;

done:
    fs_release(fs);
    return status;
}

static stoa_status register_scheme(stoa_fs_registry *registry, const char *name, struct http_fs *fs,
                                   stoa_error *err) {
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate_array(fs->pool, 1, sizeof(struct scheme), &memory, err));
    struct scheme *scheme = memory;
    *scheme = (struct scheme){fs, name};
    (void)atomic_fetch_add_explicit(&fs->references, 1, memory_order_relaxed);
    stoa_fs made = {&operations, scheme};
    stoa_status status = stoa_fs_register(registry, name, made, err);
    if (status != STOA_OK) {
        stoa_fs_close(&made);
    }
    return status;
}

static const char *environment(const char *name) {
    const char *value = getenv(name);
    return value != NULL && value[0] != '\0' ? value : NULL;
}

/* A mistake in the environment is no reason not to read local files: it is told when a file by http is
 * asked for. */
static stoa_status create_from_environment(stoa_pool *pool, struct http_fs **out, stoa_error *err) {
    stoa_http_fs_options options = {
        .origin = environment("STOA_HTTP_ORIGIN"),
        .user = environment("STOA_HTTP_USER"),
        .password = environment("STOA_HTTP_PASSWORD"),
        .bearer = environment("STOA_HTTP_BEARER"),
    };
    bool is_wrong = (options.origin == NULL && has_credentials(&options)) ||
                    check_options(&options, NULL) != STOA_OK;
    if (is_wrong) {
        options = (stoa_http_fs_options){0};
    }
    STOA_TRY(fs_create(pool, &options, out, err));
    (*out)->lacks_origin = is_wrong;
    return STOA_OK;
}

stoa_status stoa_fs_register_http(stoa_fs_registry *registry, const stoa_http_fs_options *options,
                                  stoa_error *err) {
    stoa_pool *pool = stoa_fs_registry_pool(registry);
    struct http_fs *fs = NULL;
    if (options == NULL) {
        STOA_TRY(create_from_environment(pool, &fs, err));
    } else {
        STOA_TRY(check_options(options, err));
        if (options->origin == NULL && has_credentials(options)) {
            return stoa_fail(err, STOA_INVALID, "expected the origin that credentials are for");
        }
        STOA_TRY(fs_create(pool, options, &fs, err));
    }
    stoa_status status = register_scheme(registry, "http", fs, err);
    if (status == STOA_OK) {
        status = register_scheme(registry, "https", fs, err);
    }
    fs_release(fs);
    return status;
}
