/* Snapshots of a memory file system: a sorted list of paths, each file with a reference to its
 * content and the size it had. A reference keeps the bytes that were there from being changed or
 * moved (memory_content.c); appending may go on behind them. */
#include <stdlib.h>

#include "vfs/memory.h"
#include "vfs/snapshot.h"

struct item {
    char *path;                     /* "/a/b"; the root is not in the list */
    struct memory_node *node;       /* while the list is made */
    struct memory_content *content; /* NULL: a directory, or an empty file */
    size_t size;
    bool is_directory;
};

struct stoa_snapshot {
    struct memory_fs *fs; /* referenced */
    stoa_buffer items;    /* of struct item, by path */
};

static size_t count_items(const stoa_snapshot *snapshot) {
    return snapshot->items.size / sizeof(struct item);
}

static struct item *item_at(const stoa_snapshot *snapshot, size_t index) {
    return (struct item *)(void *)snapshot->items.data + index;
}

/* With the lock held. */
static stoa_status add_entry(stoa_snapshot *snapshot, const char *directory,
                             const struct memory_entry *entry, stoa_error *err) {
    struct memory_node *node = entry->node;
    struct item item = {.node = node,
                        .size = stoa_memory_node_size(node),
                        .is_directory = node->is_directory};
    stoa_buffer text = {.pool = snapshot->fs->pool};
    stoa_status status = STOA_OK;
    STOA_CHECK(stoa_buffer_append_format(&text, err, "%s/%s", directory, entry->name));
    STOA_CHECK(stoa_pool_copy_text(text.pool, (const char *)text.data, text.size, &item.path, err));
    status = stoa_buffer_append(&snapshot->items, &item, sizeof item, err);
    if (status != STOA_OK) {
        stoa_pool_free_string(text.pool, item.path);
        goto done;
    }
    if (node->content != NULL) {
        struct item *added = item_at(snapshot, count_items(snapshot) - 1);
        STOA_CHECK(stoa_memory_content_keep(snapshot->fs, node->content, &added->content, err));
    }

done:
    stoa_buffer_release(&text);
    return status;
}

static stoa_status add_directory(stoa_snapshot *snapshot, const struct memory_node *node,
                                 const char *path, stoa_error *err) {
    for (size_t i = 0; i < node->directory.count; i++) {
        STOA_TRY(add_entry(snapshot, path, &node->directory.entries[i], err));
    }
    return STOA_OK;
}

/* With the lock held. The list grows while it is walked, so that depth costs no stack. */
static stoa_status collect(stoa_snapshot *snapshot, stoa_error *err) {
    STOA_TRY(add_directory(snapshot, snapshot->fs->root, "", err));
    for (size_t i = 0; i < count_items(snapshot); i++) {
        const struct item item = *item_at(snapshot, i);
        if (item.is_directory) {
            STOA_TRY(add_directory(snapshot, item.node, item.path, err));
        }
    }
    return STOA_OK;
}

static int compare_items(const void *a, const void *b) {
    return strcmp(((const struct item *)a)->path, ((const struct item *)b)->path);
}

void stoa_snapshot_close(stoa_snapshot *snapshot) {
    if (snapshot == NULL) {
        return;
    }
    struct memory_fs *fs = snapshot->fs;
    (void)pthread_mutex_lock(&fs->lock);
    for (size_t i = 0; i < count_items(snapshot); i++) {
        stoa_pool_free_string(fs->pool, item_at(snapshot, i)->path);
        stoa_memory_content_release(fs, item_at(snapshot, i)->content);
    }
    stoa_buffer_release(&snapshot->items);
    stoa_pool_free(fs->pool, snapshot, sizeof *snapshot);
    stoa_memory_unreference(fs);
}

stoa_status stoa_snapshot_take(stoa_fs *fs, stoa_snapshot **out, stoa_error *err) {
    struct memory_fs *memory_fs = stoa_memory_of(fs);
    void *memory = NULL;
    *out = NULL;
    if (memory_fs == NULL) {
        return stoa_fail(err, STOA_INVALID, "snapshots are of file systems in memory only");
    }
    STOA_TRY(stoa_pool_allocate_array(memory_fs->pool, 1, sizeof(stoa_snapshot), &memory, err));
    stoa_snapshot *snapshot = memory;
    snapshot->fs = memory_fs;
    stoa_buffer_init(&snapshot->items, memory_fs->pool);
    (void)pthread_mutex_lock(&memory_fs->lock);
    memory_fs->references++;
    stoa_status status = collect(snapshot, err);
    (void)pthread_mutex_unlock(&memory_fs->lock);
    if (status != STOA_OK) {
        stoa_snapshot_close(snapshot);
        return status;
    }
    if (count_items(snapshot) > 0) {
        qsort(snapshot->items.data, count_items(snapshot), sizeof(struct item), compare_items);
    }
    *out = snapshot;
    return STOA_OK;
}

static bool is_same(const struct item *a, const struct item *b) {
    if (a->is_directory != b->is_directory || a->size != b->size) {
        return false;
    }
    return a->size == 0 || a->content == b->content ||
           memcmp(a->content->bytes.data, b->content->bytes.data, a->size) == 0;
}

stoa_status stoa_snapshot_compare(const stoa_snapshot *before, const stoa_snapshot *after,
                                  stoa_snapshot_function function, void *user, stoa_error *err) {
    size_t b = 0, a = 0, before_count = count_items(before), after_count = count_items(after);
    while (b < before_count || a < after_count) {
        int order = b == before_count  ? 1
                    : a == after_count ? -1
                                       : compare_items(item_at(before, b), item_at(after, a));
        if (order < 0) {
            STOA_TRY(function(user, STOA_SNAPSHOT_REMOVED, item_at(before, b)->path, err));
        } else if (order > 0) {
            STOA_TRY(function(user, STOA_SNAPSHOT_ADDED, item_at(after, a)->path, err));
        } else if (!is_same(item_at(before, b), item_at(after, a))) {
            STOA_TRY(function(user, STOA_SNAPSHOT_CHANGED, item_at(after, a)->path, err));
        }
        b += order <= 0 ? 1 : 0;
        a += order >= 0 ? 1 : 0;
    }
    return STOA_OK;
}

/* Puts `node` under `name` into what is there and, where that is remembered, what is durable. */
static stoa_status hang(struct memory_fs *fs, struct memory_node *directory, const char *name,
                        struct memory_node *node, stoa_error *err) {
    struct memory_directory *const both[] = {&directory->directory, &directory->durable};
    for (size_t i = 0; i < (fs->keeps_durable ? 2u : 1u); i++) {
        char *copy = NULL;
        STOA_TRY(stoa_memory_directory_reserve(fs, both[i], err));
        STOA_TRY(stoa_pool_copy_string(fs->pool, name, &copy, err));
        stoa_memory_put(fs, both[i], copy, node);
    }
    return STOA_OK;
}

static struct memory_node *find_below(struct memory_node *root, const char *path, size_t length) {
    struct memory_node *node = root;
    for (size_t at = 1; at < length;) {
        size_t part = strcspn(path + at, "/");
        part = part < length - at ? part : length - at;
        node = stoa_memory_find(&node->directory, path + at, part)->node;
        at += part + 1;
    }
    return node;
}

/* Parents come before what is in them: '/' ends their path, and it sorts behind its beginning. */
static stoa_status rebuild_item(struct memory_fs *fs, struct memory_node *root,
                                const struct item *item, stoa_error *err) {
    const char *name = strrchr(item->path, '/') + 1;
    struct memory_node *node = NULL;
    struct memory_node *parent = find_below(root, item->path, (size_t)(name - 1 - item->path));
    stoa_status status = STOA_OK;
    STOA_TRY(stoa_memory_node_create(fs, item->is_directory, &node, err));
    if (item->size > 0) {
        STOA_CHECK(
            stoa_memory_content_write(fs, node, 0, item->content->bytes.data, item->size, err));
        STOA_CHECK(stoa_memory_sync_file(fs, node, err));
    }
    STOA_CHECK(hang(fs, parent, name, node, err));

done:
    stoa_memory_node_release(fs, node);
    return status;
}

static void swap_directories(struct memory_directory *a, struct memory_directory *b) {
    struct memory_directory kept = *a;
    *a = *b;
    *b = kept;
}

/* With the lock held: a whole tree is made beside the old one, then they change places. */
static stoa_status restore(struct memory_fs *fs, const stoa_snapshot *snapshot, stoa_error *err) {
    struct memory_node *root = NULL;
    stoa_status status = STOA_OK;
    STOA_TRY(stoa_memory_node_create(fs, true, &root, err));
    for (size_t i = 0; i < count_items(snapshot); i++) {
        STOA_CHECK(rebuild_item(fs, root, item_at(snapshot, i), err));
    }
    swap_directories(&fs->root->directory, &root->directory);
    swap_directories(&fs->root->durable, &root->durable);
    while (fs->changes != NULL) {
        struct memory_change *change = fs->changes;
        fs->changes = change->next;
        stoa_memory_change_release(fs, change);
    }
    fs->changes_tail = &fs->changes;

done:
    stoa_memory_node_release(fs, root);
    return status;
}

stoa_status stoa_snapshot_restore(stoa_fs *fs, const stoa_snapshot *snapshot, stoa_error *err) {
    struct memory_fs *memory_fs = stoa_memory_of(fs);
    if (memory_fs != snapshot->fs) {
        return stoa_fail(err, STOA_INVALID, "the snapshot is of another file system");
    }
    (void)pthread_mutex_lock(&memory_fs->lock);
    stoa_status status = restore(memory_fs, snapshot, err);
    (void)pthread_mutex_unlock(&memory_fs->lock);
    return status;
}
