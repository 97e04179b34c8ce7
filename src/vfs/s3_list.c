/* Listings: ListObjectsV2, page by page.
 *
 * Names come percent-encoded ("encoding-type=url"), because XML cannot say every byte of a key. An
 * entry whose name below the directory is empty is not told: it is the directory's own marker
 * ("a/"), or a key with "//", which a listing by directories has no name for. */
#include <stdio.h>

#include "vfs/s3.h"
#include "vfs/sigv4.h"

enum { PAGE_KEYS = 1000, PAGE_BYTES_MAX = 16 << 20 };

static stoa_status make_query(stoa_buffer *out, const char *prefix, bool delimiter, int32_t page,
                              const stoa_buffer *token, const char **out_text, stoa_error *err) {
    stoa_buffer_clear(out);
    if (token->size > 0) {
        STOA_TRY(stoa_buffer_append_text(out, "continuation-token=", err));
        STOA_TRY(stoa_sigv4_encode(out, (const char *)token->data, token->size, false, err));
        STOA_TRY(stoa_buffer_append_byte(out, '&', err));
    }
    STOA_TRY(stoa_buffer_append_format(out, err, "%sencoding-type=url&list-type=2&max-keys=%d",
                                       delimiter ? "delimiter=%2F&" : "", (int)page));
    if (prefix[0] != '\0') {
        STOA_TRY(stoa_buffer_append_text(out, "&prefix=", err));
        STOA_TRY(stoa_sigv4_encode(out, prefix, strlen(prefix), false, err));
    }
    return stoa_buffer_text(out, out_text, err);
}

stoa_status stoa_s3_list_keys(struct s3_fs *fs, const struct s3_name *name, const char *prefix,
                              bool delimiter, int32_t page, const stoa_context *context,
                              stoa_s3_entry_function function, void *user, stoa_error *err) {
    stoa_buffer token = {.pool = context->pool};
    stoa_buffer next = {.pool = context->pool};
    stoa_buffer query = {.pool = context->pool};
    stoa_status status = STOA_OK;
    do {
        struct s3_call call = {.method = "GET",
                               .name = name,
                               .is_bucket = true,
                               .body_limit = PAGE_BYTES_MAX};
        STOA_CHECK(make_query(&query, prefix, delimiter, page, &token, &call.query, err));
        status = stoa_s3_run_one(fs, &call, context, err);
        if (status == STOA_OK) {
            status = stoa_s3_page_read(context->pool, call.response.body.data,
                                       call.response.body.size, function, user, &next, err);
        }
        stoa_s3_call_release(&call, context);
        STOA_CHECK(status);
        if (next.size > 0 && next.size == token.size &&
            memcmp(next.data, token.data, next.size) == 0) {
            status = stoa_fail(err, STOA_CORRUPT, "the listing goes on where it was already");
            goto done;
        }
        stoa_buffer swap = token;
        token = next;
        next = swap;
    } while (token.size > 0);

done:
    stoa_buffer_release(&token);
    stoa_buffer_release(&next);
    stoa_buffer_release(&query);
    return status;
}

struct listing {
    stoa_list_function function;
    void *user;
    const char *prefix;
    size_t prefix_size;
    bool is_deep;
    bool has_any;
};

static stoa_status tell_entry(void *user, const stoa_s3_entry *entry, stoa_error *err) {
    struct listing *listing = user;
    stoa_file_info info = {.is_directory = entry->is_prefix};
    char name[S3_KEY_BYTES_MAX + 2];
    size_t size = strlen(entry->key);
    if (size < listing->prefix_size || size > S3_KEY_BYTES_MAX + 1 ||
        memcmp(entry->key, listing->prefix, listing->prefix_size) != 0) {
        return stoa_fail(err, STOA_CORRUPT, "the listing has the key '%.200s', which is not below",
                         entry->key);
    }
    listing->has_any = true;
    size -= listing->prefix_size;
    memcpy(name, entry->key + listing->prefix_size, size + 1);
    if (size > 0 && name[size - 1] == '/') {
        /* A marker within a deep listing, or a directory. */
        name[--size] = '\0';
        if (listing->is_deep) {
            return STOA_OK;
        }
    }
    if (size == 0) {
        return STOA_OK;
    }
    info.size = entry->is_prefix ? 0 : entry->size;
    info.modified_ms = entry->modified_ms;
    stoa_s3_etag_copy(info.version, entry->etag);
    return listing->function(listing->user, name, &info, err);
}

static stoa_status list_below(struct s3_fs *fs, const char *path, bool is_deep,
                              const stoa_context *context, stoa_list_function function, void *user,
                              stoa_error *err) {
    struct s3_name name;
    char prefix[S3_KEY_BYTES_MAX + 2];
    STOA_TRY(stoa_s3_name_parse(path, &name, err));
    (void)snprintf(prefix, sizeof prefix, "%s%s", name.key,
                   stoa_s3_name_is_directory(&name) ? "" : "/");
    struct listing listing = {function, user, prefix, strlen(prefix), is_deep, false};
    STOA_TRY(stoa_s3_list_keys(fs, &name, prefix, !is_deep, PAGE_KEYS, context, tell_entry,
                               &listing, err));
    if (!listing.has_any && name.key_size > 0) {
        return stoa_fail(err, STOA_NOT_FOUND, "no object is below it");
    }
    return STOA_OK;
}

stoa_status stoa_s3_list(void *state, const char *path, const stoa_context *context,
                         stoa_list_function function, void *user, stoa_error *err) {
    return list_below(state, path, false, context, function, user, err);
}

stoa_status stoa_s3_list_tree(void *state, const char *path, const stoa_context *context,
                              stoa_list_function function, void *user, stoa_error *err) {
    return list_below(state, path, true, context, function, user, err);
}
