/* Bringing the files of a load together. Memory stays bounded: what must be unpacked or read from a
 * pipe goes through one buffer into a file in the database's temporary directory. */
#include "ingest/inputs.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "ingest/check.h"
#include "vfs/vfs.h"

enum { COPY_BYTES = 1 << 20 };

static stoa_status temporary_path(stoa_ingest_inputs *inputs, const char **out, stoa_error *err) {
    const char *directory = NULL;
    char name[96];
    STOA_TRY(stoa_database_temporary_directory(inputs->database, &directory, err));
    int length = snprintf(name, sizeof name, "input-%lld-%zu", (long long)stoa_clock_monotonic_ns(),
                          inputs->count);
    char *joined = NULL;
    stoa_pool *pool = inputs->arena.pool;
    STOA_ASSERT(length > 0 && (size_t)length < sizeof name);
    STOA_TRY(stoa_vfs_join(pool, directory, name, &joined, err));
    stoa_status status = stoa_arena_copy_text(&inputs->arena, joined, strlen(joined), out, err);
    stoa_pool_free_string(pool, joined);
    return status;
}

/* Copies from byte `start` on. */
static stoa_status copy_file(stoa_file *from, uint64_t start, stoa_file *to, uint8_t *buffer,
                             const stoa_context *context, uint64_t *out_bytes, stoa_error *err) {
    uint64_t offset = start;
    for (;;) {
        size_t size = 0;
        STOA_TRY(stoa_file_read_some(from, offset, buffer, COPY_BYTES, &size, err));
        if (size == 0) {
            *out_bytes = offset - start;
            return STOA_OK;
        }
        STOA_TRY(stoa_file_write(to, buffer, size, err));
        STOA_TRY(stoa_cancel_check(context->cancel, err));
        offset += size;
    }
}

/* Copies `from`, from byte `start` on, into a temporary file. */
static stoa_status spool(stoa_ingest_inputs *inputs, stoa_file *from, uint64_t start,
                         const stoa_context *context, const char **out_path, uint64_t *out_bytes,
                         stoa_error *err) {
    stoa_pool *pool = inputs->arena.pool;
    stoa_file *to = NULL;
    void *buffer = NULL;
    stoa_status status = STOA_OK;
    STOA_CHECK(temporary_path(inputs, out_path, err));
    STOA_CHECK(stoa_pool_allocate(pool, COPY_BYTES, &buffer, err));
    STOA_CHECK(stoa_vfs_open(stoa_database_file_systems(inputs->database), *out_path,
                             STOA_OPEN_REPLACE, context, &to, err));
    stoa_file_advise(to, 0, 0, STOA_ADVICE_WILL_NEED); /* it is read next, and removed */
    STOA_CHECK(copy_file(from, start, to, buffer, context, out_bytes, err));

done:
    stoa_file_close(to);
    stoa_pool_free(pool, buffer, COPY_BYTES);
    if (status != STOA_OK && *out_path != NULL) {
        STOA_IGNORE(
            stoa_vfs_remove(stoa_database_file_systems(inputs->database), *out_path, NULL, NULL));
    }
    return status;
}

static stoa_status add_input(stoa_ingest_inputs *inputs, stoa_ingest_input input, stoa_error *err) {
    if (inputs->count == inputs->capacity) {
        size_t capacity = inputs->capacity == 0 ? 16 : inputs->capacity * 2;
        void *items = NULL;
        STOA_TRY(stoa_arena_allocate_array(&inputs->arena, capacity, sizeof input, &items, err));
        if (inputs->count > 0) {
            memcpy(items, inputs->items, inputs->count * sizeof input);
        }
        inputs->items = items;
        inputs->capacity = capacity;
    }
    inputs->items[inputs->count++] = input;
    inputs->bytes += input.bytes;
    return STOA_OK;
}

struct walk {
    stoa_ingest_inputs *inputs;
    const char *format;
    const stoa_context *context;
};

/* What is read instead of the input from now on. */
static stoa_status replace_input(stoa_ingest_inputs *inputs, stoa_ingest_input *input,
                                 const char *path, stoa_error *err) {
    stoa_status status = STOA_OK;
    if (input->temporary) {
        status = stoa_vfs_remove(stoa_database_file_systems(inputs->database), input->path, NULL,
                                 err);
    }
    input->path = path;
    input->temporary = true;
    input->kind.packing = STOA_PACKING_NONE;
    return status;
}

/* A plain local file that holds what the input does, from byte `start` on. */
static stoa_status bring(stoa_ingest_inputs *inputs, stoa_ingest_input *input, stoa_file *file,
                         uint64_t start, const stoa_context *context, stoa_error *err) {
    const char *path = NULL;
    uint64_t bytes = 0;
    STOA_TRY(spool(inputs, file, start, context, &path, &bytes, err));
    return replace_input(inputs, input, path, err);
}

stoa_status stoa_ingest_input_localize(stoa_ingest_inputs *inputs, stoa_ingest_input *input,
                                       const stoa_context *context, stoa_error *err) {
    stoa_file *file = NULL;
    stoa_packing packing;
    uint64_t mark_bytes = 0;
    bool json = input->kind.format == STOA_FORMAT_JSON || input->kind.format == STOA_FORMAT_JSONL;
    bool away = input->kind.packing != STOA_PACKING_NONE ||
                stoa_vfs_local_path(input->path) == NULL;
    if (!json && !away) {
        return STOA_OK;
    }
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_vfs_open(stoa_database_file_systems(inputs->database), input->path,
                             STOA_OPEN_READ, context, &file, err));
    stoa_file *packed = file;
    file = NULL;
    STOA_CHECK(stoa_compressed_open(context, packed, &packing, &file, err));
    if (json) {
        STOA_CHECK(stoa_ingest_check_json(file, context, &mark_bytes, err));
    }
    if (away || mark_bytes > 0) {
        STOA_CHECK(bring(inputs, input, file, mark_bytes, context, err));
    }

done:
    stoa_file_close(file);
    if (status != STOA_OK) {
        stoa_wrap(err, "reading '%s'", input->name);
        stoa_error_set_file(err, input->name, -1);
    }
    return status;
}

/* What is read in blocks is read where it lies; all else by readers of local files. */
static stoa_status prepare(struct walk *walk, stoa_ingest_input *input, stoa_error *err) {
    switch (input->kind.format) {
    case STOA_FORMAT_CSV:
    case STOA_FORMAT_TSV:
    case STOA_FORMAT_JSONL: return STOA_OK;
    case STOA_FORMAT_PARQUET:
    case STOA_FORMAT_ARROW_FILE:
    case STOA_FORMAT_ARROW_STREAM:
        return input->kind.packing == STOA_PACKING_NONE
                   ? STOA_OK
                   : stoa_ingest_input_localize(walk->inputs, input, walk->context, err);
    default: return stoa_ingest_input_localize(walk->inputs, input, walk->context, err);
    }
}

/* Standard input, or a pipe by its name: what can be read only once goes into a temporary file. */
static stoa_status add_descriptor(struct walk *walk, int descriptor, const char *name,
                                  stoa_error *err) {
    stoa_ingest_inputs *inputs = walk->inputs;
    stoa_file *file = NULL;
    stoa_ingest_input input = {.name = name, .temporary = true};
    STOA_TRY(stoa_file_from_descriptor(inputs->arena.pool, descriptor, name, &file, err));
    stoa_status status = spool(inputs, file, 0, walk->context, &input.path, &input.bytes, err);
    stoa_file_close(file);
    STOA_TRY(status);
    /* Remembered first, so that a failure below still removes the temporary file. */
    STOA_TRY(add_input(inputs, input, err));
    stoa_ingest_input *added = &inputs->items[inputs->count - 1];
    status = stoa_ingest_detect(stoa_database_file_systems(inputs->database), added->path,
                                walk->format, walk->context, &added->kind, err);
    if (status == STOA_INVALID && input.bytes == 0) {
        return stoa_fail(err, STOA_INVALID, "%s is empty", name);
    }
    if (status == STOA_INVALID && walk->format == NULL) {
        return stoa_fail(err, STOA_INVALID,
                         "cannot tell the format of %s: say --format parquet, arrow, csv, tsv, "
                         "json or jsonl",
                         name);
    }
    STOA_TRY(status);
    return prepare(walk, added, err);
}

static stoa_status add_pipe(struct walk *walk, const char *uri, const char *path, stoa_error *err) {
    const char *name = NULL;
    STOA_TRY(stoa_arena_copy_text(&walk->inputs->arena, uri, strlen(uri), &name, err));
    int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) {
        return stoa_fail(err, STOA_IO, "cannot open '%s': %m", path);
    }
    stoa_status status = add_descriptor(walk, descriptor, name, err);
    (void)close(descriptor);
    return status;
}

static stoa_status add_file(void *user, const char *uri, const stoa_file_info *info,
                            stoa_error *err) {
    struct walk *walk = user;
    if (info->is_directory) {
        stoa_fail(err, STOA_IO, "expected a file but '%s' is a directory", uri);
        stoa_error_set_file(err, uri, -1);
        return STOA_IO;
    }
    const char *local = stoa_vfs_local_path(uri);
    struct stat kind;
    if (local != NULL && stat(local, &kind) == 0 && !S_ISREG(kind.st_mode)) {
        return add_pipe(walk, uri, local, err);
    }
    stoa_ingest_input input = {.bytes = info->size};
    STOA_TRY(stoa_arena_copy_text(&walk->inputs->arena, uri, strlen(uri), &input.name, err));
    input.path = input.name;
    STOA_TRY(stoa_ingest_detect(stoa_database_file_systems(walk->inputs->database), uri,
                                walk->format, walk->context, &input.kind, err));
    STOA_TRY(prepare(walk, &input, err));
    return add_input(walk->inputs, input, err);
}

/* Every Parquet file below; what is special in the folder's name is taken as it is. */
static stoa_status add_folder(struct walk *walk, const char *folder, stoa_error *err) {
    stoa_buffer pattern;
    const char *text = NULL;
    size_t size = strlen(folder);
    stoa_buffer_init(&pattern, walk->context->pool);
    stoa_status status = STOA_OK;
    while (size > 1 && folder[size - 1] == '/') {
        size--;
    }
    for (size_t i = 0; i < size; i++) {
        if (strchr("*?[]\\", folder[i]) != NULL) {
            STOA_CHECK(stoa_buffer_append_byte(&pattern, '\\', err));
        }
        STOA_CHECK(stoa_buffer_append_byte(&pattern, (uint8_t)folder[i], err));
    }
    STOA_CHECK(stoa_buffer_append_text(&pattern, "/**/*.parquet", err));
    STOA_CHECK(stoa_buffer_text(&pattern, &text, err));
    STOA_CHECK(stoa_vfs_glob(stoa_database_file_systems(walk->inputs->database), text,
                             walk->context, walk->context->pool, add_file, walk, err));

done:
    stoa_buffer_release(&pattern);
    return status;
}

stoa_status stoa_ingest_inputs_init(stoa_database *database, const char *const *paths,
                                    size_t path_count, const char *format,
                                    const stoa_context *context, stoa_ingest_inputs *out,
                                    stoa_error *err) {
    *out = (stoa_ingest_inputs){.database = database};
    stoa_arena_init(&out->arena, context->pool);
    struct walk walk = {out, format, context};
    stoa_fs_registry *registry = stoa_database_file_systems(database);
    for (size_t i = 0; i < path_count; i++) {
        size_t before = out->count;
        if (strcmp(paths[i], "-") == 0) {
            STOA_TRY(add_descriptor(&walk, STDIN_FILENO, "standard input", err));
            continue;
        }
        stoa_file_info info;
        /* A file whose name has wildcard characters is that file. */
        if (stoa_vfs_stat(registry, paths[i], context, &info, NULL) == STOA_OK) {
            STOA_TRY(info.is_directory ? add_folder(&walk, paths[i], err)
                                       : add_file(&walk, paths[i], &info, err));
            if (out->count > before) {
                continue;
            }
            stoa_fail(err, STOA_NOT_FOUND, "no file below '%s' ends in .parquet", paths[i]);
            stoa_error_set_file(err, paths[i], -1);
            return STOA_NOT_FOUND;
        }
        STOA_TRY(stoa_vfs_glob(registry, paths[i], context, context->pool, add_file, &walk, err));
        if (out->count == before) {
            stoa_fail(err, STOA_NOT_FOUND, "no file matches '%s'", paths[i]);
            stoa_error_set_file(err, paths[i], -1);
            return STOA_NOT_FOUND;
        }
    }
    return STOA_OK;
}

void stoa_ingest_inputs_release(stoa_ingest_inputs *inputs) {
    for (size_t i = 0; i < inputs->count; i++) {
        if (inputs->items[i].temporary) {
            STOA_IGNORE(stoa_vfs_remove(stoa_database_file_systems(inputs->database),
                                        inputs->items[i].path, NULL, NULL));
        }
    }
    stoa_arena_release(&inputs->arena);
    *inputs = (stoa_ingest_inputs){0};
}
