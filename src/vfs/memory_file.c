/* Open files and locks of the memory file system. Reads copy outside of the lock, from content that
 * they hold a reference to. */
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "vfs/memory.h"

struct memory_file {
    struct memory_fs *fs;
    stoa_pool *pool;
    struct memory_node *node;
    struct memory_content *view; /* held by a mapping until close */
    uint64_t view_bytes;
    bool is_view_writable;
    uint64_t era;
    size_t position;
};

/* Takes the lock. On failure it is not held. */
static stoa_status enter(struct memory_file *file, stoa_error *err) {
    (void)pthread_mutex_lock(&file->fs->lock);
    if (file->era != file->fs->era) {
        (void)pthread_mutex_unlock(&file->fs->lock);
        return stoa_fail(err, STOA_IO, "the machine went down since it was opened");
    }
    return STOA_OK;
}

static stoa_status leave(struct memory_file *file, stoa_status status) {
    (void)pthread_mutex_unlock(&file->fs->lock);
    return status;
}

static stoa_status memory_size(void *state, uint64_t *out, stoa_error *err) {
    struct memory_file *file = state;
    STOA_TRY(enter(file, err));
    *out = stoa_memory_node_size(file->node);
    return leave(file, STOA_OK);
}

static stoa_status memory_read_at(void *state, uint64_t offset, void *buffer, size_t size,
                                  size_t *out_size, stoa_error *err) {
    struct memory_file *file = state;
    STOA_TRY(enter(file, err));
    struct memory_content *content = file->node->content;
    size_t there = stoa_memory_node_size(file->node);
    *out_size = 0;
    if (offset >= there) {
        return leave(file, STOA_OK);
    }
    const uint8_t *from = content->bytes.data + offset;
    there -= (size_t)offset;
    content->references++;
    (void)leave(file, STOA_OK);

    *out_size = size < there ? size : there;
    if (*out_size > 0) {
        memcpy(buffer, from, *out_size);
    }

    (void)pthread_mutex_lock(&file->fs->lock);
    stoa_memory_content_release(file->fs, content);
    return leave(file, STOA_OK);
}

static stoa_status memory_map(void *state, const void **out, uint64_t *out_size, stoa_error *err) {
    struct memory_file *file = state;
    STOA_TRY(enter(file, err));
    if (file->view == NULL && file->node->content != NULL) {
        file->view = file->node->content;
        file->view->references++;
        file->view_bytes = file->view->bytes.size;
    }
    *out = file->view_bytes == 0 ? (const void *)"" : file->view->bytes.data;
    *out_size = file->view_bytes;
    return leave(file, STOA_OK);
}

static stoa_status map_node(struct memory_file *file, uint64_t size, stoa_error *err) {
    const uint64_t there = file->view != NULL ? file->view_bytes
                                              : stoa_memory_node_size(file->node);
    if (size > there) {
        return stoa_fail(err, STOA_INVALID, "it has %" PRIu64 " bytes, not %" PRIu64, there, size);
    }
    if (file->view == NULL) {
        STOA_TRY(stoa_memory_content_map(file->fs, file->node, &file->view, err));
        file->view_bytes = size;
        file->is_view_writable = true;
        file->node->modified_ms = stoa_clock_unix_ms();
    }
    return STOA_OK;
}

static stoa_status memory_map_write(void *state, uint64_t size, void **out, stoa_error *err) {
    struct memory_file *file = state;
    STOA_TRY(enter(file, err));
    stoa_status status = map_node(file, size, err);
    *out = status == STOA_OK ? file->view->bytes.data : NULL;
    return leave(file, status);
}

static stoa_status memory_write(void *state, const void *bytes, size_t size, stoa_error *err) {
    struct memory_file *file = state;
    STOA_TRY(enter(file, err));
    stoa_status status = stoa_memory_content_write(file->fs, file->node, file->position, bytes,
                                                   size, err);
    if (status == STOA_OK) {
        file->position += size;
        file->node->modified_ms = stoa_clock_unix_ms();
    }
    return leave(file, status);
}

static stoa_status memory_truncate(void *state, uint64_t size, stoa_error *err) {
    struct memory_file *file = state;
    STOA_TRY(enter(file, err));
    stoa_status status = stoa_memory_content_resize(file->fs, file->node, (size_t)size, err);
    if (status == STOA_OK) {
        file->position = (size_t)size;
        file->node->modified_ms = stoa_clock_unix_ms();
    }
    return leave(file, status);
}

static stoa_status memory_preallocate(void *state, uint64_t size, bool grow, stoa_error *err) {
    struct memory_file *file = state;
    STOA_TRY(enter(file, err));
    stoa_status status = STOA_OK;
    if (grow && size > stoa_memory_node_size(file->node)) {
        status = stoa_memory_content_resize(file->fs, file->node, (size_t)size, err);
        file->node->modified_ms = status == STOA_OK ? stoa_clock_unix_ms()
                                                    : file->node->modified_ms;
    }
    return leave(file, status);
}

static stoa_status memory_sync(void *state, stoa_error *err) {
    struct memory_file *file = state;
    STOA_TRY(enter(file, err));
    return leave(file, stoa_memory_sync_file(file->fs, file->node, err));
}

static void release_handle(struct memory_file *file) {
    struct memory_fs *fs = file->fs;
    if (file->is_view_writable) {
        stoa_memory_content_unmap(fs, file->view);
    } else {
        stoa_memory_content_release(fs, file->view);
    }
    stoa_memory_node_release(fs, file->node);
    stoa_pool_free(file->pool, file, sizeof *file);
    stoa_memory_unreference(fs);
}

static void memory_close(void *state) {
    struct memory_file *file = state;
    (void)pthread_mutex_lock(&file->fs->lock);
    release_handle(file);
}

static void memory_unlock(void *state) {
    struct memory_file *file = state;
    (void)pthread_mutex_lock(&file->fs->lock);
    if (file->era == file->fs->era) {
        file->node->is_locked = false;
    }
    release_handle(file);
}

static const stoa_file_operations reading = {
    .size = memory_size,
    .read_at = memory_read_at,
    .map = memory_map,
    .close = memory_close,
};

static const stoa_file_operations updating = {
    .size = memory_size,
    .read_at = memory_read_at,
    .sync = memory_sync,
    .map_write = memory_map_write,
    .close = memory_close,
};

static const stoa_file_operations writing = {
    .size = memory_size,
    .write = memory_write,
    .sync = memory_sync,
    .truncate = memory_truncate,
    .preallocate = memory_preallocate,
    .close = memory_close,
};

static const stoa_file_operations locking = {.close = memory_unlock};

/* Of a handle that is given up before it is open. */
static const stoa_file_operations nothing = {0};

/* Finds the node that a mode asks for, or makes it. */
static stoa_status find_node(struct memory_fs *fs, const char *path, stoa_open_mode mode,
                             struct memory_node **out, stoa_error *err) {
    struct memory_place place;
    STOA_TRY(stoa_memory_resolve(fs, path, &place, err));
    if (place.node != NULL && place.node->is_directory) {
        return mode == STOA_OPEN_CREATE ? stoa_fail(err, STOA_EXISTS, "it exists")
                                        : stoa_fail(err, STOA_INVALID, "it is a directory");
    }
    const bool must_exist = mode == STOA_OPEN_READ || mode == STOA_OPEN_UPDATE;
    if (place.wants_directory) {
        return place.node == NULL && !must_exist
                   ? stoa_fail(err, STOA_INVALID, "it is a directory")
                   : stoa_fail(err, STOA_NOT_FOUND, "no such file or directory");
    }
    if (place.node != NULL && mode == STOA_OPEN_CREATE) {
        return stoa_fail(err, STOA_EXISTS, "it exists");
    }
    if (place.node == NULL && must_exist) {
        return stoa_fail(err, STOA_NOT_FOUND, "no such file or directory");
    }
    *out = place.node;
    return place.node == NULL ? stoa_memory_make(fs, &place, false, out, err) : STOA_OK;
}

/* With the lock held. */
static stoa_status open_locked(struct memory_fs *fs, const char *path, stoa_open_mode mode,
                               const stoa_file_operations *operations, stoa_pool *pool,
                               stoa_file **out, stoa_error *err) {
    struct memory_node *node = NULL;
    struct memory_file *file = NULL;
    void *memory = NULL;
    stoa_status status = STOA_OK;

    STOA_CHECK(stoa_pool_allocate_array(pool, 1, sizeof *file, &memory, err));
    file = memory;
    STOA_CHECK(stoa_file_create(pool, path, operations, file, out, err));
    STOA_CHECK(find_node(fs, path, mode, &node, err));
    if (operations == &locking && node->is_locked) {
        status = stoa_fail(err, STOA_LOCKED, "process %ld has it (this one)", (long)getpid());
        goto done;
    }
    if (mode == STOA_OPEN_REPLACE) {
        STOA_CHECK(stoa_memory_content_resize(fs, node, 0, err));
    }
    *file = (struct memory_file){.fs = fs, .pool = pool, .node = node, .era = fs->era};
    file->position = mode == STOA_OPEN_APPEND ? stoa_memory_node_size(node) : 0;
    node->references++;
    fs->references++;
    memory = NULL;

done:
    if (status != STOA_OK && *out != NULL) {
        (*out)->operations = &nothing;
        stoa_file_close(*out);
        *out = NULL;
    }
    stoa_pool_free(pool, memory, sizeof *file);
    return status;
}

stoa_status stoa_memory_open(void *state, const char *path, stoa_open_mode mode,
                             const stoa_context *context, stoa_file **out, stoa_error *err) {
    struct memory_fs *fs = state;
    const stoa_file_operations *operations = mode == STOA_OPEN_READ     ? &reading
                                             : mode == STOA_OPEN_UPDATE ? &updating
                                                                        : &writing;
    *out = NULL;
    (void)pthread_mutex_lock(&fs->lock);
    stoa_status status = open_locked(fs, path, mode, operations, context->pool, out, err);
    (void)pthread_mutex_unlock(&fs->lock);
    return status;
}

static stoa_status write_holder(struct memory_fs *fs, struct memory_node *node, stoa_error *err) {
    char text[32];
    int length = snprintf(text, sizeof text, "%ld\n", (long)getpid());
    STOA_TRY(stoa_memory_content_resize(fs, node, 0, err));
    return stoa_memory_content_write(fs, node, 0, text, (size_t)length, err);
}

stoa_status stoa_memory_lock(void *state, const char *path, const stoa_context *context,
                             stoa_file **out, stoa_error *err) {
    struct memory_fs *fs = state;
    *out = NULL;
    (void)pthread_mutex_lock(&fs->lock);
    stoa_status status = open_locked(fs, path, STOA_OPEN_APPEND, &locking, context->pool, out, err);
    if (status == STOA_OK) {
        struct memory_file *file = (*out)->state;
        file->node->is_locked = true;
        status = write_holder(fs, file->node, err);
    }
    (void)pthread_mutex_unlock(&fs->lock);
    if (status != STOA_OK) {
        stoa_file_close(*out);
        *out = NULL;
    }
    return status;
}
