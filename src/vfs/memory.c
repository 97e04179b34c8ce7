/* The memory file system: paths, directories, names. Behaves as a local one does, so that what works
 * on one works on the other: parents must exist, a file is no directory, a removed file lives on in
 * its open handles. '..' is not offered. */
#include "vfs/memory.h"

#include <stdio.h>

#include "base/clock.h"

static stoa_status not_found(stoa_error *err) {
    return stoa_fail(err, STOA_NOT_FOUND, "no such file or directory");
}

static void fill_info(const struct memory_node *node, stoa_file_info *out) {
    *out = (stoa_file_info){0};
    out->is_directory = node->is_directory;
    out->size = stoa_memory_node_size(node);
    out->modified_ms = node->modified_ms;
    (void)snprintf(out->version, sizeof out->version, "%" PRIx64 "-%" PRIx64, node->id,
                   node->change);
}

/* Walks down to the last part. Empty parts and "." are nothing. */
stoa_status stoa_memory_resolve(struct memory_fs *fs, const char *path, struct memory_place *out,
                                stoa_error *err) {
    *out = (struct memory_place){.directory = fs->root, .node = fs->root, .name = path};
    for (int depth = 0;; depth++) {
        while (path[0] == '/' || (path[0] == '.' && (path[1] == '/' || path[1] == '\0'))) {
            out->wants_directory = true;
            path++;
        }
        if (path[0] == '\0') {
            return STOA_OK;
        }
        size_t length = strcspn(path, "/");
        if (depth == MEMORY_DEPTH_MAX || length > MEMORY_NAME_BYTES_MAX) {
            return stoa_fail(err, STOA_INVALID,
                             "the path has more than %d parts or a part of more "
                             "than %d bytes",
                             MEMORY_DEPTH_MAX, MEMORY_NAME_BYTES_MAX);
        }
        if (length == 2 && memcmp(path, "..", 2) == 0) {
            return stoa_fail(err, STOA_UNSUPPORTED, "'..' means nothing here");
        }
        if (out->node == NULL || !out->node->is_directory) {
            return not_found(err);
        }
        const struct memory_entry *entry = stoa_memory_find(&out->node->directory, path, length);
        *out = (struct memory_place){out->node, entry == NULL ? NULL : entry->node, path, length,
                                     false};
        path += length;
    }
}

static stoa_status resolve_existing(struct memory_fs *fs, const char *path,
                                    struct memory_place *out, stoa_error *err) {
    STOA_TRY(stoa_memory_resolve(fs, path, out, err));
    if (out->node == NULL || (out->wants_directory && !out->node->is_directory)) {
        return not_found(err);
    }
    return STOA_OK;
}

/* Gives `node` the place's name, in place of what has it. */
static stoa_status link_node(struct memory_fs *fs, const struct memory_place *place,
                             struct memory_node *node, stoa_error *err) {
    struct memory_change *change = NULL;
    char *name = NULL;
    stoa_status status = STOA_OK;

    STOA_CHECK(stoa_pool_copy_text(fs->pool, place->name, place->name_length, &name, err));
    STOA_CHECK(stoa_memory_directory_reserve(fs, &place->directory->directory, err));
    STOA_CHECK(stoa_memory_change_create(fs, place->directory, name, node, &change, err));
    stoa_memory_put(fs, &place->directory->directory, name, node);
    name = NULL;
    stoa_memory_change_record(fs, change);
    place->directory->modified_ms = node->modified_ms;

done:
    stoa_pool_free_string(fs->pool, name);
    return status;
}

stoa_status stoa_memory_make(struct memory_fs *fs, const struct memory_place *place,
                             bool is_directory, struct memory_node **out, stoa_error *err) {
    struct memory_node *node = NULL;
    *out = NULL;
    STOA_TRY(stoa_memory_node_create(fs, is_directory, &node, err));
    stoa_status status = link_node(fs, place, node, err);
    *out = status == STOA_OK ? node : NULL; /* its entry holds it */
    stoa_memory_node_release(fs, node);
    return status;
}

static stoa_status memory_stat(void *state, const char *path, const stoa_context *context,
                               stoa_file_info *out, stoa_error *err) {
    (void)context;
    struct memory_fs *fs = state;
    struct memory_place place;
    (void)pthread_mutex_lock(&fs->lock);
    stoa_status status = resolve_existing(fs, path, &place, err);
    if (status == STOA_OK) {
        fill_info(place.node, out);
    }
    (void)pthread_mutex_unlock(&fs->lock);
    return status;
}

/* A copy of the names, so that the caller's function runs without the lock. */
static stoa_status copy_names(struct memory_fs *fs, const char *path, stoa_buffer *names,
                              stoa_error *err) {
    struct memory_place place;
    STOA_TRY(resolve_existing(fs, path, &place, err));
    if (!place.node->is_directory) {
        return stoa_fail(err, STOA_NOT_FOUND, "not a directory");
    }
    for (size_t i = 0; i < place.node->directory.count; i++) {
        const struct memory_entry *entry = &place.node->directory.entries[i];
        stoa_file_info info;
        fill_info(entry->node, &info);
        STOA_TRY(stoa_buffer_append(names, &info, sizeof info, err));
        STOA_TRY(stoa_buffer_append(names, entry->name, strlen(entry->name) + 1, err));
    }
    return STOA_OK;
}

static stoa_status memory_list(void *state, const char *path, const stoa_context *context,
                               stoa_list_function function, void *user, stoa_error *err) {
    (void)context;
    struct memory_fs *fs = state;
    stoa_buffer names = {.pool = fs->pool};
    (void)pthread_mutex_lock(&fs->lock);
    stoa_status status = copy_names(fs, path, &names, err);
    (void)pthread_mutex_unlock(&fs->lock);
    for (size_t i = 0; i < names.size && status == STOA_OK;) {
        stoa_file_info info;
        memcpy(&info, names.data + i, sizeof info);
        const char *name = (const char *)names.data + i + sizeof info;
        status = function(user, name, &info, err);
        i += sizeof info + strlen(name) + 1;
    }
    stoa_buffer_release(&names);
    return status;
}

static stoa_status memory_make_directory(void *state, const char *path, const stoa_context *context,
                                         stoa_error *err) {
    (void)context;
    struct memory_fs *fs = state;
    struct memory_place place;
    struct memory_node *node = NULL;
    (void)pthread_mutex_lock(&fs->lock);
    stoa_status status = stoa_memory_resolve(fs, path, &place, err);
    if (status == STOA_OK && place.node != NULL) {
        status = stoa_fail(err, STOA_EXISTS, "it exists");
    } else if (status == STOA_OK) {
        status = stoa_memory_make(fs, &place, true, &node, err);
    }
    (void)pthread_mutex_unlock(&fs->lock);
    return status;
}

static stoa_status remove_locked(struct memory_fs *fs, const char *path, stoa_error *err) {
    struct memory_place place;
    struct memory_change *change = NULL;
    char name[MEMORY_NAME_BYTES_MAX + 1];
    STOA_TRY(resolve_existing(fs, path, &place, err));
    if (place.node == fs->root) {
        return stoa_fail(err, STOA_INVALID, "it is the root");
    }
    if (place.node->directory.count > 0) {
        return stoa_fail(err, STOA_INVALID, "directory not empty");
    }
    (void)snprintf(name, sizeof name, "%.*s", (int)place.name_length, place.name);
    STOA_TRY(stoa_memory_change_create(fs, place.directory, name, NULL, &change, err));
    stoa_memory_take_out(fs, &place.directory->directory, name);
    stoa_memory_change_record(fs, change);
    place.directory->modified_ms = stoa_clock_unix_ms();
    return STOA_OK;
}

static stoa_status memory_remove(void *state, const char *path, const stoa_context *context,
                                 stoa_error *err) {
    (void)context;
    struct memory_fs *fs = state;
    (void)pthread_mutex_lock(&fs->lock);
    stoa_status status = remove_locked(fs, path, err);
    (void)pthread_mutex_unlock(&fs->lock);
    return status;
}

/* True when `directory` is `node` or below it: then `node` cannot move into it. */
static bool is_within(struct memory_fs *fs, const char *path, const struct memory_node *node) {
    struct memory_node *at = fs->root;
    while (at != NULL && at != node) {
        while (path[0] == '/' || (path[0] == '.' && (path[1] == '/' || path[1] == '\0'))) {
            path++;
        }
        size_t length = strcspn(path, "/");
        const struct memory_entry *entry = length == 0
                                               ? NULL
                                               : stoa_memory_find(&at->directory, path, length);
        at = entry == NULL ? NULL : entry->node;
        path += length;
    }
    return at == node;
}

static stoa_status check_rename(struct memory_fs *fs, const struct memory_place *from,
                                const struct memory_place *to, const char *to_path,
                                stoa_error *err) {
    if (from->node == fs->root || to->node == fs->root) {
        return stoa_fail(err, STOA_INVALID, "it is the root");
    }
    if (from->node->is_directory && to->node != from->node && is_within(fs, to_path, from->node)) {
        return stoa_fail(err, STOA_INVALID, "a directory cannot move into itself");
    }
    if (to->wants_directory && !from->node->is_directory) {
        return not_found(err);
    }
    if (to->node == NULL) {
        return STOA_OK;
    }
    if (to->node->is_directory != from->node->is_directory) {
        return stoa_fail(err, STOA_INVALID,
                         to->node->is_directory ? "the target is a directory"
                                                : "the target is a file");
    }
    if (to->node->directory.count > 0 && to->node != from->node) {
        return stoa_fail(err, STOA_INVALID, "directory not empty");
    }
    return STOA_OK;
}

static stoa_status rename_locked(struct memory_fs *fs, const char *from_path, const char *to_path,
                                 stoa_error *err) {
    struct memory_place from, to;
    struct memory_change *change = NULL;
    char *name = NULL;
    char old_name[MEMORY_NAME_BYTES_MAX + 1];
    stoa_status status = STOA_OK;

    STOA_TRY(resolve_existing(fs, from_path, &from, err));
    STOA_TRY(stoa_memory_resolve(fs, to_path, &to, err));
    STOA_TRY(check_rename(fs, &from, &to, to_path, err));
    if (from.node == to.node) {
        return STOA_OK;
    }
    (void)snprintf(old_name, sizeof old_name, "%.*s", (int)from.name_length, from.name);
    STOA_CHECK(stoa_pool_copy_text(fs->pool, to.name, to.name_length, &name, err));
    STOA_CHECK(stoa_memory_directory_reserve(fs, &to.directory->directory, err));
    STOA_CHECK(stoa_memory_change_create(fs, from.directory, old_name, NULL, &change, err));
    STOA_CHECK(stoa_memory_change_extend(fs, change, to.directory, name, from.node, err));
    stoa_memory_put(fs, &to.directory->directory, name, from.node);
    name = NULL;
    stoa_memory_take_out(fs, &from.directory->directory, old_name);
    stoa_memory_change_record(fs, change);
    change = NULL;

done:
    stoa_memory_change_release(fs, change);
    stoa_pool_free_string(fs->pool, name);
    return status;
}

static stoa_status memory_rename(void *state, const char *from, const char *to,
                                 const stoa_context *context, stoa_error *err) {
    (void)context;
    struct memory_fs *fs = state;
    (void)pthread_mutex_lock(&fs->lock);
    stoa_status status = rename_locked(fs, from, to, err);
    (void)pthread_mutex_unlock(&fs->lock);
    return status;
}

static stoa_status link_locked(struct memory_fs *fs, const char *from_path, const char *to_path,
                               stoa_error *err) {
    struct memory_place from, to;
    STOA_TRY(resolve_existing(fs, from_path, &from, err));
    STOA_TRY(stoa_memory_resolve(fs, to_path, &to, err));
    if (from.node->is_directory) {
        return stoa_fail(err, STOA_INVALID, "a directory has one name only");
    }
    if (to.node != NULL) {
        return stoa_fail(err, STOA_EXISTS, "it exists");
    }
    return to.wants_directory ? not_found(err) : link_node(fs, &to, from.node, err);
}

static stoa_status memory_link(void *state, const char *from, const char *to,
                               const stoa_context *context, stoa_error *err) {
    (void)context;
    struct memory_fs *fs = state;
    (void)pthread_mutex_lock(&fs->lock);
    stoa_status status = link_locked(fs, from, to, err);
    (void)pthread_mutex_unlock(&fs->lock);
    return status;
}

static stoa_status memory_sync_directory(void *state, const char *path, const stoa_context *context,
                                         stoa_error *err) {
    (void)context;
    struct memory_fs *fs = state;
    struct memory_place place;
    (void)pthread_mutex_lock(&fs->lock);
    stoa_status status = resolve_existing(fs, path, &place, err);
    if (status == STOA_OK && !place.node->is_directory) {
        status = stoa_fail(err, STOA_NOT_FOUND, "not a directory");
    } else if (status == STOA_OK) {
        status = stoa_memory_sync_directory(fs, place.node, err);
    }
    (void)pthread_mutex_unlock(&fs->lock);
    return status;
}

static stoa_status check_version(const struct memory_place *place, const char *expected,
                                 stoa_error *err) {
    stoa_file_info info = {0};
    if (place->wants_directory || (place->node != NULL && place->node->is_directory)) {
        return stoa_fail(err, STOA_INVALID, "it is a directory");
    }
    if (place->node != NULL) {
        fill_info(place->node, &info);
    }
    if (strcmp(info.version, expected) != 0) {
        return stoa_fail(err, STOA_CONFLICT, "expected version '%s' but found '%s'", expected,
                         info.version);
    }
    return STOA_OK;
}

/* A new node takes the name, so that who has the old one open goes on reading it. */
static stoa_status put_locked(struct memory_fs *fs, const char *path, const char *expected,
                              const void *bytes, size_t size, char *out_version, stoa_error *err) {
    struct memory_place place;
    struct memory_node *node = NULL;
    stoa_file_info info;
    stoa_status status = STOA_OK;

    STOA_TRY(stoa_memory_resolve(fs, path, &place, err));
    STOA_TRY(check_version(&place, expected, err));
    STOA_TRY(stoa_memory_node_create(fs, false, &node, err));
    if (size > 0) {
        STOA_CHECK(stoa_memory_content_write(fs, node, 0, bytes, size, err));
    }
    STOA_CHECK(stoa_memory_sync_file(fs, node, err));
    STOA_CHECK(link_node(fs, &place, node, err));
    STOA_CHECK(stoa_memory_sync_directory(fs, place.directory, err));
    fill_info(node, &info);
    memcpy(out_version, info.version, sizeof info.version);

done:
    stoa_memory_node_release(fs, node);
    return status;
}

static stoa_status memory_put_if(void *state, const char *path, const stoa_context *context,
                                 const char *expected, const void *bytes, size_t size,
                                 char *out_version, stoa_error *err) {
    (void)context;
    struct memory_fs *fs = state;
    (void)pthread_mutex_lock(&fs->lock);
    stoa_status status = put_locked(fs, path, expected, bytes, size, out_version, err);
    (void)pthread_mutex_unlock(&fs->lock);
    return status;
}

/* Called with the lock held, which is gone afterwards. */
void stoa_memory_unreference(struct memory_fs *fs) {
    bool is_last = --fs->references == 0;
    (void)pthread_mutex_unlock(&fs->lock);
    if (!is_last) {
        return;
    }
    while (fs->changes != NULL) {
        struct memory_change *change = fs->changes;
        fs->changes = change->next;
        stoa_memory_change_release(fs, change);
    }
    stoa_memory_node_release(fs, fs->root);
    /* A crash may have torn off directories that hold each other. Each is held here until all are
     * empty, so that none goes while the list is walked. */
    for (struct memory_node *node = fs->nodes; node != NULL; node = node->next) {
        node->references++;
    }
    for (struct memory_node *node = fs->nodes; node != NULL; node = node->next) {
        stoa_memory_directory_release(fs, &node->directory);
        stoa_memory_directory_release(fs, &node->durable);
    }
    for (struct memory_node *node = fs->nodes, *next; node != NULL; node = next) {
        next = node->next;
        stoa_memory_node_release(fs, node);
    }
    (void)pthread_mutex_destroy(&fs->lock);
    stoa_pool_free(fs->pool, fs, sizeof *fs);
}

static void memory_close(void *state) {
    struct memory_fs *fs = state;
    (void)pthread_mutex_lock(&fs->lock);
    stoa_memory_unreference(fs);
}

static const stoa_fs_operations operations = {
    .open = stoa_memory_open,
    .stat = memory_stat,
    .list = memory_list,
    .make_directory = memory_make_directory,
    .remove = memory_remove,
    .rename = memory_rename,
    .link = memory_link,
    .sync_directory = memory_sync_directory,
    .lock = stoa_memory_lock,
    .put_if = memory_put_if,
    .close = memory_close,
};

struct memory_fs *stoa_memory_of(const stoa_fs *fs) {
    return fs->operations == &operations ? fs->state : NULL;
}

stoa_status stoa_memory_create(stoa_pool *pool, bool keeps_durable, stoa_fs *out, stoa_error *err) {
    void *memory = NULL;
    *out = (stoa_fs){0};
    STOA_TRY(stoa_pool_allocate_array(pool, 1, sizeof(struct memory_fs), &memory, err));
    struct memory_fs *fs = memory;
    fs->pool = pool;
    fs->references = 1;
    fs->keeps_durable = keeps_durable;
    fs->changes_tail = &fs->changes;
    stoa_status status = stoa_memory_node_create(fs, true, &fs->root, err);
    if (status != STOA_OK) {
        stoa_pool_free(pool, fs, sizeof *fs);
        return status;
    }
    (void)pthread_mutex_init(&fs->lock, NULL);
    *out = (stoa_fs){&operations, fs};
    return STOA_OK;
}

stoa_status stoa_fs_memory_create(stoa_pool *pool, stoa_fs *out, stoa_error *err) {
    return stoa_memory_create(pool, false, out, err);
}
