/* Nodes and the sorted entries of directories. Callers hold the file system's lock. */
#include "vfs/memory.h"

#include "base/checked.h"
#include "base/clock.h"

stoa_status stoa_memory_node_create(struct memory_fs *fs, bool is_directory,
                                    struct memory_node **out, stoa_error *err) {
    void *memory = NULL;
    *out = NULL;
    STOA_TRY(stoa_pool_allocate_array(fs->pool, 1, sizeof(struct memory_node), &memory, err));
    struct memory_node *node = memory;
    node->references = 1;
    node->is_directory = is_directory;
    node->id = ++fs->next_id;
    node->change = ++fs->next_change;
    node->modified_ms = stoa_clock_unix_ms();
    stoa_buffer_init(&node->synced, fs->pool);
    node->next = fs->nodes;
    if (fs->nodes != NULL) {
        fs->nodes->previous = node;
    }
    fs->nodes = node;
    *out = node;
    return STOA_OK;
}

static void unlink_node(struct memory_fs *fs, struct memory_node *node) {
    if (node->previous != NULL) {
        node->previous->next = node->next;
    } else {
        fs->nodes = node->next;
    }
    if (node->next != NULL) {
        node->next->previous = node->previous;
    }
}

/* Entries hold nodes, which hold entries: those that die are queued through `next`, so that a deep
 * tree costs no stack. */
void stoa_memory_node_release(struct memory_fs *fs, struct memory_node *node) {
    struct memory_node *dead = NULL;
    if (node == NULL || --node->references > 0) {
        return;
    }
    unlink_node(fs, node);
    node->next = NULL;
    dead = node;
    while (dead != NULL) {
        node = dead;
        dead = node->next;
        struct memory_directory *both[] = {&node->directory, &node->durable};
        for (size_t d = 0; d < 2; d++) {
            for (size_t i = 0; i < both[d]->count; i++) {
                struct memory_node *child = both[d]->entries[i].node;
                stoa_pool_free_string(fs->pool, both[d]->entries[i].name);
                if (--child->references == 0) {
                    unlink_node(fs, child);
                    child->next = dead;
                    dead = child;
                }
            }
            both[d]->count = 0;
            stoa_memory_directory_release(fs, both[d]);
        }
        stoa_memory_content_release(fs, node->content);
        stoa_buffer_release(&node->synced);
        stoa_pool_free(fs->pool, node, sizeof *node);
    }
}

static int compare_name(const char *entry, const char *name, size_t length) {
    int order = strncmp(entry, name, length);
    return order != 0 ? order : entry[length] != '\0';
}

/* The first entry whose name is not before `name`. */
static size_t lower_bound(const struct memory_directory *directory, const char *name,
                          size_t length) {
    size_t low = 0, high = directory->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (compare_name(directory->entries[middle].name, name, length) < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct memory_entry *stoa_memory_find(const struct memory_directory *directory, const char *name,
                                      size_t length) {
    size_t at = lower_bound(directory, name, length);
    if (at == directory->count || compare_name(directory->entries[at].name, name, length) != 0) {
        return NULL;
    }
    return &directory->entries[at];
}

stoa_status stoa_memory_directory_reserve(struct memory_fs *fs, struct memory_directory *directory,
                                          stoa_error *err) {
    if (directory->count < directory->capacity) {
        return STOA_OK;
    }
    size_t capacity = directory->capacity == 0 ? 8 : directory->capacity * 2;
    size_t bytes;
    if (!stoa_mul_size(capacity, sizeof(struct memory_entry), &bytes)) {
        return stoa_fail(err, STOA_LIMIT, "a directory of %zu entries", capacity);
    }
    void *memory = directory->entries;
    STOA_TRY(stoa_pool_reallocate(fs->pool, &memory,
                                  directory->capacity * sizeof(struct memory_entry), bytes, err));
    directory->entries = memory;
    directory->capacity = capacity;
    return STOA_OK;
}

void stoa_memory_put(struct memory_fs *fs, struct memory_directory *directory, char *name,
                     struct memory_node *node) {
    size_t at = lower_bound(directory, name, strlen(name));
    node->references++;
    if (at < directory->count && strcmp(directory->entries[at].name, name) == 0) {
        struct memory_node *old = directory->entries[at].node;
        directory->entries[at].node = node;
        stoa_memory_node_release(fs, old);
        stoa_pool_free_string(fs->pool, name);
        return;
    }
    STOA_ASSERT(directory->count < directory->capacity);
    memmove(directory->entries + at + 1, directory->entries + at,
            (directory->count - at) * sizeof(struct memory_entry));
    directory->entries[at] = (struct memory_entry){name, node};
    directory->count++;
}

void stoa_memory_take_out(struct memory_fs *fs, struct memory_directory *directory,
                          const char *name) {
    struct memory_entry *entry = stoa_memory_find(directory, name, strlen(name));
    if (entry == NULL) {
        return;
    }
    struct memory_entry gone = *entry;
    size_t at = (size_t)(entry - directory->entries);
    memmove(entry, entry + 1, (directory->count - at - 1) * sizeof(struct memory_entry));
    directory->count--;
    stoa_pool_free_string(fs->pool, gone.name);
    stoa_memory_node_release(fs, gone.node);
}

void stoa_memory_directory_release(struct memory_fs *fs, struct memory_directory *directory) {
    while (directory->count > 0) {
        struct memory_entry *last = &directory->entries[--directory->count];
        struct memory_node *node = last->node;
        stoa_pool_free_string(fs->pool, last->name);
        stoa_memory_node_release(fs, node);
    }
    stoa_pool_free(fs->pool, directory->entries, directory->capacity * sizeof(struct memory_entry));
    *directory = (struct memory_directory){0};
}
