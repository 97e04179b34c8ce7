/* The compressed file system: stands before any other. What is read is recognised by content, what is
 * written is packed by the ending of its name; all else goes to the file system behind as it is. */
#include <string.h>

#include "vfs/compressed.h"
#include "vfs/pack.h"
#include "vfs/vfs.h"

struct compressed_fs {
    stoa_pool *pool;
    stoa_fs inner;
    stoa_packing other_packing;    /* of names whose ending says none */
    stoa_fs_operations operations; /* those that the file system behind has too */
};

/* An unfinished file has the ending of what it becomes before a '~'. */
static stoa_packing packing_of_unfinished(const char *path) {
    char name[64];
    const char *slash = strrchr(path, '/');
    const char *from = slash == NULL ? path : slash + 1;
    size_t length = strlen(from);
    if (strncmp(from, STOA_VFS_TEMPORARY_PREFIX, strlen(STOA_VFS_TEMPORARY_PREFIX)) != 0 ||
        from[length - 1] != '~' || length > sizeof name) {
        return STOA_PACKING_NONE;
    }
    memcpy(name, from, length - 1);
    name[length - 1] = '\0';
    return stoa_packing_of_name(name, NULL);
}

static stoa_packing packing_of(const struct compressed_fs *fs, const char *path) {
    stoa_packing packing = stoa_packing_of_name(path, NULL);
    packing = packing == STOA_PACKING_NONE ? packing_of_unfinished(path) : packing;
    return packing == STOA_PACKING_NONE ? fs->other_packing : packing;
}

/* What stands before bytes that are appended must be packed in the same way. */
static stoa_status look_at_beginning(struct compressed_fs *fs, const char *path,
                                     stoa_packing packing, const stoa_context *context,
                                     stoa_packer *packer, stoa_error *err) {
    uint8_t head[STOA_PACKING_HEAD_BYTES];
    stoa_file *file = NULL;
    size_t got = 0;
    uint64_t size = 0;
    stoa_error missing = STOA_ERROR_NONE;
    stoa_status status = fs->inner.operations->open(fs->inner.state, path, STOA_OPEN_READ, context,
                                                    &file, &missing);
    if (status == STOA_NOT_FOUND) {
        return STOA_OK;
    }
    if (status != STOA_OK && err != NULL) {
        *err = missing;
    }
    STOA_CHECK(status);
    STOA_CHECK(stoa_file_size(file, &size, err));
    STOA_CHECK(stoa_file_read_some(file, 0, head, sizeof head, &got, err));
    if (size > 0 && stoa_packing_recognise(head, got) != packing) {
        status = stoa_fail(err, STOA_INVALID, "it holds bytes that are not packed with %s",
                           stoa_packing_name(packing));
        goto done;
    }
    STOA_CHECK(stoa_packer_append_to(packer, file, size, err));

done:
    stoa_file_close(file);
    return status;
}

static stoa_status open_packed(struct compressed_fs *fs, const char *path, stoa_open_mode mode,
                               stoa_packing packing, const stoa_context *context, stoa_file **out,
                               stoa_error *err) {
    stoa_packer *packer = NULL;
    stoa_file *inner = NULL;
    stoa_status status = STOA_OK;
    if (mode == STOA_OPEN_UPDATE) {
        return stoa_fail(err, STOA_UNSUPPORTED, "compressed files are not changed in place");
    }
    STOA_TRY(stoa_packer_create(context->pool, packing, &packer, err));
    if (mode == STOA_OPEN_APPEND) {
        STOA_CHECK(look_at_beginning(fs, path, packing, context, packer, err));
    }
    STOA_CHECK(fs->inner.operations->open(fs->inner.state, path, mode, context, &inner, err));
    return stoa_packed_file_create(context, path, inner, packer, out, err);

done:
    stoa_packer_close(packer);
    return status;
}

static stoa_status fs_open(void *state, const char *path, stoa_open_mode mode,
                           const stoa_context *context, stoa_file **out, stoa_error *err) {
    struct compressed_fs *fs = state;
    stoa_packing packing = packing_of(fs, path);
    if (mode != STOA_OPEN_READ && packing != STOA_PACKING_NONE) {
        return open_packed(fs, path, mode, packing, context, out, err);
    }
    stoa_file *inner = NULL;
    STOA_TRY(fs->inner.operations->open(fs->inner.state, path, mode, context, &inner, err));
    if (mode != STOA_OPEN_READ) {
        *out = inner;
        return STOA_OK;
    }
    return stoa_compressed_open(context, inner, &packing, out, err);
}

static stoa_status fs_stat(void *state, const char *path, const stoa_context *context,
                           stoa_file_info *out, stoa_error *err) {
    const stoa_fs *inner = &((struct compressed_fs *)state)->inner;
    return inner->operations->stat(inner->state, path, context, out, err);
}

static stoa_status fs_list(void *state, const char *path, const stoa_context *context,
                           stoa_list_function function, void *user, stoa_error *err) {
    const stoa_fs *inner = &((struct compressed_fs *)state)->inner;
    return inner->operations->list(inner->state, path, context, function, user, err);
}

static stoa_status fs_list_tree(void *state, const char *path, const stoa_context *context,
                                stoa_list_function function, void *user, stoa_error *err) {
    const stoa_fs *inner = &((struct compressed_fs *)state)->inner;
    return inner->operations->list_tree(inner->state, path, context, function, user, err);
}

static stoa_status fs_remove_tree(void *state, const char *path, const stoa_context *context,
                                  stoa_error *err) {
    const stoa_fs *inner = &((struct compressed_fs *)state)->inner;
    return inner->operations->remove_tree(inner->state, path, context, err);
}

static stoa_status fs_make_directory(void *state, const char *path, const stoa_context *context,
                                     stoa_error *err) {
    const stoa_fs *inner = &((struct compressed_fs *)state)->inner;
    return inner->operations->make_directory(inner->state, path, context, err);
}

static stoa_status fs_remove(void *state, const char *path, const stoa_context *context,
                             stoa_error *err) {
    const stoa_fs *inner = &((struct compressed_fs *)state)->inner;
    return inner->operations->remove(inner->state, path, context, err);
}

static stoa_status fs_rename(void *state, const char *from, const char *to,
                             const stoa_context *context, stoa_error *err) {
    const stoa_fs *inner = &((struct compressed_fs *)state)->inner;
    return inner->operations->rename(inner->state, from, to, context, err);
}

static stoa_status fs_link(void *state, const char *from, const char *to,
                           const stoa_context *context, stoa_error *err) {
    const stoa_fs *inner = &((struct compressed_fs *)state)->inner;
    return inner->operations->link(inner->state, from, to, context, err);
}

static stoa_status fs_sync_directory(void *state, const char *path, const stoa_context *context,
                                     stoa_error *err) {
    const stoa_fs *inner = &((struct compressed_fs *)state)->inner;
    return inner->operations->sync_directory(inner->state, path, context, err);
}

static stoa_status fs_lock(void *state, const char *path, const stoa_context *context,
                           stoa_file **out, stoa_error *err) {
    const stoa_fs *inner = &((struct compressed_fs *)state)->inner;
    return inner->operations->lock(inner->state, path, context, out, err);
}

static stoa_status fs_put_if(void *state, const char *path, const stoa_context *context,
                             const char *expected, const void *bytes, size_t size,
                             char *out_version, stoa_error *err) {
    struct compressed_fs *fs = state;
    const stoa_fs *inner = &fs->inner;
    stoa_packing packing = packing_of(fs, path);
    stoa_packer *packer = NULL;
    stoa_buffer packed;
    stoa_status status = STOA_OK;
    if (packing == STOA_PACKING_NONE) {
        return inner->operations->put_if(inner->state, path, context, expected, bytes, size,
                                         out_version, err);
    }
    stoa_buffer_init(&packed, context->pool);
    STOA_CHECK(stoa_packer_create(context->pool, packing, &packer, err));
    STOA_CHECK(stoa_packer_write(packer, bytes, size, &packed, err));
    STOA_CHECK(stoa_packer_end(packer, &packed, err));
    STOA_CHECK(inner->operations->put_if(inner->state, path, context, expected, packed.data,
                                         packed.size, out_version, err));

done:
    stoa_packer_close(packer);
    stoa_buffer_release(&packed);
    return status;
}

static void fs_close(void *state) {
    struct compressed_fs *fs = state;
    stoa_fs_close(&fs->inner);
    stoa_pool_free(fs->pool, fs, sizeof *fs);
}

static stoa_fs_operations offered(const stoa_fs_operations *inner) {
    return (stoa_fs_operations){
        .open = inner->open == NULL ? NULL : fs_open,
        .stat = inner->stat == NULL ? NULL : fs_stat,
        .list = inner->list == NULL ? NULL : fs_list,
        .make_directory = inner->make_directory == NULL ? NULL : fs_make_directory,
        .remove = inner->remove == NULL ? NULL : fs_remove,
        .rename = inner->rename == NULL ? NULL : fs_rename,
        .link = inner->link == NULL ? NULL : fs_link,
        .sync_directory = inner->sync_directory == NULL ? NULL : fs_sync_directory,
        .lock = inner->lock == NULL ? NULL : fs_lock,
        .put_if = inner->put_if == NULL ? NULL : fs_put_if,
        .list_tree = inner->list_tree == NULL ? NULL : fs_list_tree,
        .remove_tree = inner->remove_tree == NULL ? NULL : fs_remove_tree,
        .close = fs_close,
        .features = inner->features,
    };
}

stoa_status stoa_fs_compressed_create(stoa_pool *pool, stoa_fs inner, stoa_packing other_packing,
                                      stoa_fs *out, stoa_error *err) {
    void *memory = NULL;
    *out = (stoa_fs){0};
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof(struct compressed_fs), &memory, err));
    struct compressed_fs *fs = memory;
    *fs = (struct compressed_fs){
        .pool = pool,
        .inner = inner,
        .other_packing = other_packing,
        .operations = offered(inner.operations),
    };
    *out = (stoa_fs){&fs->operations, fs};
    return STOA_OK;
}
