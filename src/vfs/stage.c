/* Staging: a directory of the stage's own, in it a numbered one for each file, in that the file's
 * name as its URI has it, as a link to the cache's copy or as a copy.
 *
 * A link's target stays while the handle through the cache is open, so the stage keeps it open. */
#include "vfs/stage.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "sched/sched.h"
#include "vfs/cache.h"
#include "vfs/compressed.h"
#include "vfs/uri.h"

/* A large read is many requests at a time to a store; a small one is what a small budget affords. */
enum { COPY_BYTES_MAX = 32 << 20, COPY_BYTES_MIN = 1 << 20, PART_BYTES_MAX = 200 };

struct staged {
    char *uri;
    char *path;     /* ends in "/" + the name */
    stoa_file *pin; /* keeps a link's target; NULL for a copy */
};

struct stoa_stage {
    stoa_fs_registry *registry;
    stoa_pool *pool;
    char *directory; /* of this stage; NULL until the first file */
    char *parent;
    stoa_buffer files; /* of struct staged */
};

static size_t count_files(const stoa_stage *stage) {
    return stage->files.size / sizeof(struct staged);
}

static struct staged *file_at(const stoa_stage *stage, size_t index) {
    return (struct staged *)(void *)stage->files.data + index;
}

stoa_status stoa_stage_create(stoa_fs_registry *registry, const char *directory, stoa_pool *pool,
                              stoa_stage **out, stoa_error *err) {
    void *memory = NULL;
    *out = NULL;
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof(stoa_stage), &memory, err));
    stoa_stage *stage = memory;
    stoa_status status = stoa_pool_copy_string(pool, directory, &stage->parent, err);
    if (status != STOA_OK) {
        stoa_pool_free(pool, stage, sizeof *stage);
        return status;
    }
    stage->registry = registry;
    stage->pool = pool;
    stoa_buffer_init(&stage->files, pool);
    *out = stage;
    return STOA_OK;
}

static void forget_from(stoa_stage *stage, size_t first) {
    for (size_t i = first; i < count_files(stage); i++) {
        stoa_file_close(file_at(stage, i)->pin);
        stoa_pool_free_string(stage->pool, file_at(stage, i)->uri);
        stoa_pool_free_string(stage->pool, file_at(stage, i)->path);
    }
    stage->files.size = first * sizeof(struct staged);
}

void stoa_stage_close(stoa_stage *stage) {
    if (stage == NULL) {
        return;
    }
    /* What cannot be removed now is found by whoever clears the directory above. */
    if (stage->directory != NULL) {
        STOA_IGNORE(stoa_vfs_remove_tree(stage->registry, stage->directory, NULL, NULL));
    }
    forget_from(stage, 0);
    stoa_buffer_release(&stage->files);
    stoa_pool_free_string(stage->pool, stage->directory);
    stoa_pool_free_string(stage->pool, stage->parent);
    stoa_pool_free(stage->pool, stage, sizeof *stage);
}

static bool is_known_to_others(stoa_packing packing) {
    return packing == STOA_PACKING_NONE || packing == STOA_PACKING_GZIP ||
           packing == STOA_PACKING_ZSTD;
}

bool stoa_stage_unpacks(const char *uri) {
    return !is_known_to_others(stoa_packing_of_name(uri, NULL));
}

/* ---- names ---- */

static stoa_status make_directory(const char *path, stoa_error *err) {
    if (mkdir(path, 0700) != 0 && errno != EEXIST) {
        return stoa_fail_errno(err, errno, "make directory", path);
    }
    return STOA_OK;
}

static stoa_status make_stage_directory(stoa_stage *stage, stoa_error *err) {
    stoa_buffer text = {.pool = stage->pool};
    const char *path = NULL;
    stoa_status status = STOA_OK;
    if (stage->directory != NULL) {
        return STOA_OK;
    }
    STOA_CHECK(stoa_vfs_make_directories(stage->registry, stage->parent, NULL, err));
    STOA_CHECK(stoa_buffer_append_format(&text, err, "%s/staged-%lx-%llx", stage->parent,
                                         (long)getpid(),
                                         (unsigned long long)stoa_clock_monotonic_ns()));
    STOA_CHECK(stoa_buffer_text(&text, &path, err));
    STOA_CHECK(make_directory(path, err));
    STOA_CHECK(stoa_pool_copy_string(stage->pool, path, &stage->directory, err));

done:
    stoa_buffer_release(&text);
    return status;
}

/* What readers take for a pattern, or what leads elsewhere, is another character here. */
static stoa_status append_part(stoa_buffer *text, const char *part, size_t size, stoa_error *err) {
    bool is_dots = (size == 1 && part[0] == '.') || (size == 2 && memcmp(part, "..", 2) == 0);
    if (size > PART_BYTES_MAX) { /* the ending is what matters */
        part += size - PART_BYTES_MAX;
        size = PART_BYTES_MAX;
    }
    STOA_TRY(stoa_buffer_append_byte(text, '/', err));
    for (size_t i = 0; i < size; i++) {
        bool is_safe = (unsigned char)part[i] >= ' ' && strchr("*?[]{}\\'\"", part[i]) == NULL;
        STOA_TRY(stoa_buffer_append_byte(text, is_safe && !is_dots ? (uint8_t)part[i] : '_', err));
    }
    return STOA_OK;
}

/* How much of the URI is a path: a query behind one over HTTP is not. */
static size_t path_length(const char *uri, size_t from) {
    bool is_http = strncasecmp(uri, "http:", 5) == 0 || strncasecmp(uri, "https:", 6) == 0;
    return is_http ? strcspn(uri + from, "?#") : strlen(uri + from);
}

/* <stage>/<number>/<the parts of the URI behind its scheme and authority><ending>, with the
 * directories made. */
static stoa_status make_name(const stoa_stage *stage, size_t number, const char *uri,
                             stoa_packing packing, bool unpacked, stoa_buffer *text,
                             const char **out, stoa_error *err) {
    size_t root = stoa_uri_root_offset(uri);
    size_t end = root + path_length(uri, root);
    STOA_TRY(stoa_buffer_append_format(text, err, "%s/%zu", stage->directory, number));
    size_t stem = text->size;
    for (size_t at = root; at < end;) {
        size_t size = strcspn(uri + at, "/");
        size = size < end - at ? size : end - at;
        if (size > 0) {
            STOA_TRY(stoa_buffer_text(text, out, err));
            STOA_TRY(make_directory(*out, err));
            STOA_TRY(append_part(text, uri + at, size, err));
        }
        at += size + 1;
    }
    if (text->size == stem) {
        STOA_TRY(stoa_buffer_text(text, out, err));
        STOA_TRY(make_directory(*out, err));
        STOA_TRY(stoa_buffer_append_text(text, "/file", err));
    }
    STOA_TRY(stoa_buffer_text(text, out, err));
    stoa_packing named = stoa_packing_of_name(*out, &stem);
    if (unpacked && named != STOA_PACKING_NONE) {
        text->size = stem;
    } else if (!unpacked && named != packing && packing != STOA_PACKING_NONE) {
        STOA_TRY(stoa_buffer_append_text(text, packing == STOA_PACKING_GZIP ? ".gz" : ".zst", err));
    }
    return stoa_buffer_text(text, out, err);
}

/* ---- content ---- */

/* As much as the budget has, up to the size of the file where it is known. */
static stoa_status allocate_copy(stoa_stage *stage, uint64_t size, void **out, size_t *out_bytes,
                                 stoa_error *err) {
    *out_bytes = COPY_BYTES_MAX;
    while (*out_bytes > COPY_BYTES_MIN && *out_bytes / 2 >= size) {
        *out_bytes /= 2;
    }
    while (*out_bytes > COPY_BYTES_MIN) {
        if (stoa_pool_allocate(stage->pool, *out_bytes, out, NULL) == STOA_OK) {
            return STOA_OK;
        }
        *out_bytes /= 2;
    }
    return stoa_pool_allocate(stage->pool, *out_bytes, out, err);
}

static stoa_status copy_content(stoa_stage *stage, stoa_file *from, uint64_t size, const char *path,
                                const stoa_context *context, stoa_error *err) {
    stoa_file *to = NULL;
    void *buffer = NULL;
    uint64_t offset = 0;
    size_t bytes = 0, got = 0;
    stoa_status status = STOA_OK;
    STOA_CHECK(allocate_copy(stage, size, &buffer, &bytes, err));
    STOA_CHECK(stoa_vfs_open(stage->registry, path, STOA_OPEN_CREATE, context, &to, err));
    stoa_file_advise(to, 0, 0, STOA_ADVICE_WILL_NEED); /* it is read next, and removed */
    do {
        STOA_CHECK(stoa_cancel_check(context->cancel, err));
        STOA_CHECK(stoa_file_read_some(from, offset, buffer, bytes, &got, err));
        STOA_CHECK(stoa_file_write(to, buffer, got, err));
        offset += got;
    } while (got == bytes);

done:
    stoa_file_close(to);
    stoa_pool_free(stage->pool, buffer, bytes);
    return status;
}

static stoa_status recognise(stoa_file *file, stoa_packing *out, stoa_error *err) {
    uint8_t head[STOA_PACKING_HEAD_BYTES];
    size_t size = 0;
    STOA_TRY(stoa_file_read_some(file, 0, head, sizeof head, &size, err));
    *out = stoa_packing_recognise(head, size);
    return STOA_OK;
}

/* A link to the cache's copy, or a copy. `*file` is taken when it is to stay open. */
static stoa_status place(stoa_stage *stage, size_t number, stoa_file **file, bool unpack,
                         const stoa_context *context, stoa_error *err) {
    struct staged *out = file_at(stage, number);
    stoa_packing packing = STOA_PACKING_NONE;
    const char *cached = NULL, *path = NULL;
    stoa_buffer text = {.pool = stage->pool};
    stoa_status status = STOA_OK;
    if (unpack) {
        STOA_CHECK(recognise(*file, &packing, err));
    }
    bool unpacks = !is_known_to_others(packing);
    STOA_CHECK(make_name(stage, number, out->uri, packing, unpacks, &text, &path, err));
    if (unpacks) {
        stoa_file *packed = *file;
        *file = NULL;
        STOA_CHECK(stoa_compressed_open(context, packed, &packing, file, err));
    } else {
        STOA_CHECK(stoa_cached_file_path(*file, &cached, err));
    }
    (void)unlink(path); /* of an attempt that failed */
    if (cached != NULL && symlink(cached, path) == 0) {
        out->pin = *file;
        *file = NULL;
    } else {
        /* A packed file may be of any size inside; another may not know its own. */
        uint64_t size = UINT64_MAX;
        if (!unpacks && (*file)->operations->size != NULL) {
            STOA_CHECK(stoa_file_size(*file, &size, err));
        }
        STOA_CHECK(copy_content(stage, *file, size, path, context, err));
    }
    STOA_CHECK(stoa_pool_copy_string(stage->pool, path, &out->path, err));

done:
    stoa_buffer_release(&text);
    return status;
}

/* ---- fetching ---- */

struct fetching {
    stoa_stage *stage;
    size_t first; /* of the files that are new */
    bool unpack;
    const stoa_context *context;
};

/* Each part has files of its own; the list does not move meanwhile. */
static stoa_status fetch_files(void *user, int64_t begin, int64_t end, stoa_error *err) {
    const struct fetching *fetching = user;
    stoa_stage *stage = fetching->stage;
    for (int64_t i = begin; i < end; i++) {
        size_t number = fetching->first + (size_t)i;
        stoa_file *file = NULL;
        STOA_TRY(stoa_vfs_open(stage->registry, file_at(stage, number)->uri, STOA_OPEN_READ,
                               fetching->context, &file, err));
        stoa_status status = place(stage, number, &file, fetching->unpack, fetching->context, err);
        stoa_file_close(file);
        STOA_TRY(status);
    }
    return STOA_OK;
}

static const char *find_staged(const stoa_stage *stage, const char *uri) {
    for (size_t i = 0; i < count_files(stage); i++) {
        if (strcmp(file_at(stage, i)->uri, uri) == 0) {
            return file_at(stage, i)->path;
        }
    }
    return NULL;
}

/* A local file is read where it is, unless it is to be unpacked and only Stoa can. */
static const char *own_path(const char *uri, bool unpack) {
    return unpack && stoa_stage_unpacks(uri) ? NULL : stoa_vfs_local_path(uri);
}

static stoa_status list_new(stoa_stage *stage, const char *const *uris, size_t count, bool unpack,
                            stoa_error *err) {
    for (size_t i = 0; i < count; i++) {
        struct staged staged = {0};
        if (own_path(uris[i], unpack) != NULL || find_staged(stage, uris[i]) != NULL) {
            continue;
        }
        STOA_TRY(stoa_pool_copy_string(stage->pool, uris[i], &staged.uri, err));
        stoa_status status = stoa_buffer_append(&stage->files, &staged, sizeof staged, err);
        if (status != STOA_OK) {
            stoa_pool_free_string(stage->pool, staged.uri);
            return status;
        }
    }
    return STOA_OK;
}

stoa_status stoa_stage_add_all(stoa_stage *stage, const char *const *uris, size_t count,
                               bool unpack, const stoa_context *context, stoa_error *err) {
    stoa_context own = *context;
    size_t first = count_files(stage);
    own.pool = own.pool == NULL ? stage->pool : own.pool;
    struct fetching fetching = {stage, first, unpack, &own};
    stoa_status status = STOA_OK;
    STOA_CHECK(list_new(stage, uris, count, unpack, err));
    if (count_files(stage) > first) {
        STOA_CHECK(make_stage_directory(stage, err));
        STOA_CHECK(stoa_parallel_for(&own, (int64_t)(count_files(stage) - first), 1, fetch_files,
                                     &fetching, err));
    }

done:
    if (status != STOA_OK) {
        forget_from(stage, first); /* the files go with the stage */
    }
    return status;
}

stoa_status stoa_stage_add(stoa_stage *stage, const char *uri, bool unpack,
                           const stoa_context *context, const char **out, stoa_error *err) {
    *out = own_path(uri, unpack);
    if (*out == NULL) {
        STOA_TRY(stoa_stage_add_all(stage, &uri, 1, unpack, context, err));
        *out = find_staged(stage, uri);
    }
    return STOA_OK;
}

/* ---- messages ---- */

static void replace_all(char *message, size_t room, const char *from, const char *to) {
    size_t from_size = strlen(from), to_size = strlen(to);
    for (char *at = strstr(message, from); at != NULL; at = strstr(at + to_size, from)) {
        size_t tail = strlen(at + from_size) + 1;
        if ((size_t)(at - message) + to_size + tail > room) {
            return;
        }
        memmove(at + to_size, at + from_size, tail);
        memcpy(at, to, to_size);
    }
}

void stoa_stage_explain(const stoa_stage *stage, stoa_error *err) {
    if (stage == NULL || err == NULL) {
        return;
    }
    for (size_t i = count_files(stage); i > 0; i--) { /* ".../10/x" before ".../1/x" */
        const struct staged *staged = file_at(stage, i - 1);
        replace_all(err->message, sizeof err->message, staged->path, staged->uri);
    }
}
