/* Files in memory: nodes, their content, and what of them a crash would leave.
 *
 *     fs ── root ── entries: name → node      a directory
 *                                 └── content  a file: bytes, shared with readers and views
 *
 * A node lives while an entry, an open file or a record of a change refers to it. `content` is
 * never changed in place where a reader may look: appending writes behind the bytes that readers
 * know, and everything else copies first when anyone else holds it. The exception is content that is
 * mapped to be written: that changes under its readers, as a file's does, and is neither moved nor
 * replaced.
 *
 * With `keeps_durable`, each node also remembers what was synced, and the file system the changes
 * of directories that were not: memory_crash.c.
 *
 * Lock: `fs->lock` guards every node, content count and record; it is the only one and is not held
 * during calls to anybody but the pool. (A holder that the pool asks to give memory back must not
 * use this file system from within its function.) */
#ifndef STOA_VFS_MEMORY_H
#define STOA_VFS_MEMORY_H

#include <pthread.h>

#include <stoa/fs.h>

#include "mem/buffer.h"
#include "vfs/vfs.h"

enum { MEMORY_DEPTH_MAX = 256, MEMORY_NAME_BYTES_MAX = 255 };

struct memory_node;

struct memory_entry {
    char *name;
    struct memory_node *node;
};

/* Sorted by name. */
struct memory_directory {
    struct memory_entry *entries;
    size_t count;
    size_t capacity;
};

struct memory_content {
    stoa_buffer bytes;
    size_t references;
    size_t writable_maps; /* each is a reference too */
};

struct memory_node {
    struct memory_node *next, *previous; /* all nodes of the file system */
    size_t references;
    bool is_directory;
    bool is_locked;
    uint64_t id;
    uint64_t change; /* number of the last change */
    int64_t modified_ms;
    struct memory_directory directory;
    struct memory_content *content; /* NULL: empty */
    /* What a crash leaves for certain. */
    struct memory_directory durable;
    stoa_buffer synced;
    size_t synced_prefix; /* so many bytes of `synced` and `content` agree */
    bool is_stored_into;  /* mapped to be written, now or since the last sync */
};

/* One change of one or (renames) two directories that are not synced yet. */
struct memory_change {
    struct memory_change *next;
    struct {
        struct memory_node *directory; /* NULL: unused */
        char *name;
        struct memory_node *node; /* NULL: the name goes */
    } part[2];
};

struct memory_fs {
    pthread_mutex_t lock;
    stoa_pool *pool;
    size_t references; /* the handle and open files */
    struct memory_node *nodes;
    struct memory_node *root;
    uint64_t next_id, next_change;
    uint64_t era; /* counts crashes: handles of an earlier one are dead */
    bool keeps_durable;
    struct memory_change *changes, **changes_tail;
};

/* Nodes (memory_node.c). */
stoa_status stoa_memory_node_create(struct memory_fs *fs, bool is_directory,
                                    struct memory_node **out, stoa_error *err);
void stoa_memory_node_release(struct memory_fs *fs, struct memory_node *node);
struct memory_entry *stoa_memory_find(const struct memory_directory *directory, const char *name,
                                      size_t length);
/* Makes room for one more, so that the next put cannot fail. */
stoa_status stoa_memory_directory_reserve(struct memory_fs *fs, struct memory_directory *directory,
                                          stoa_error *err);
/* Takes over `name` and a new reference to `node`; replaces what the name stood for. */
void stoa_memory_put(struct memory_fs *fs, struct memory_directory *directory, char *name,
                     struct memory_node *node);
void stoa_memory_take_out(struct memory_fs *fs, struct memory_directory *directory,
                          const char *name);
void stoa_memory_directory_release(struct memory_fs *fs, struct memory_directory *directory);

/* Content (memory_content.c). */
void stoa_memory_content_release(struct memory_fs *fs, struct memory_content *content);
stoa_status stoa_memory_content_write(struct memory_fs *fs, struct memory_node *node, size_t offset,
                                      const void *bytes, size_t size, stoa_error *err);
stoa_status stoa_memory_content_resize(struct memory_fs *fs, struct memory_node *node, size_t size,
                                       stoa_error *err);
/* A reference to the node's content, which stays the node's as long as it is mapped. */
stoa_status stoa_memory_content_map(struct memory_fs *fs, struct memory_node *node,
                                    struct memory_content **out, stoa_error *err);
void stoa_memory_content_unmap(struct memory_fs *fs, struct memory_content *content);
/* The content as it is now: a reference, or a copy while it is mapped to be written. */
stoa_status stoa_memory_content_keep(struct memory_fs *fs, struct memory_content *content,
                                     struct memory_content **out, stoa_error *err);
static inline size_t stoa_memory_node_size(const struct memory_node *node) {
    return node->content == NULL ? 0 : node->content->bytes.size;
}

/* Files (memory_file.c). */
stoa_status stoa_memory_open(void *state, const char *path, stoa_open_mode mode,
                             const stoa_context *context, stoa_file **out, stoa_error *err);
stoa_status stoa_memory_lock(void *state, const char *path, const stoa_context *context,
                             stoa_file **out, stoa_error *err);

/* The file system and its paths (memory.c). */
stoa_status stoa_memory_create(stoa_pool *pool, bool keeps_durable, stoa_fs *out, stoa_error *err);
/* NULL when `fs` is another. */
struct memory_fs *stoa_memory_of(const stoa_fs *fs);
struct memory_place {
    struct memory_node *directory;
    struct memory_node *node; /* NULL when nothing has the name */
    const char *name;
    size_t name_length;   /* 0: the root */
    bool wants_directory; /* a '/' stood behind the name */
};
stoa_status stoa_memory_resolve(struct memory_fs *fs, const char *path, struct memory_place *out,
                                stoa_error *err);
/* Makes a node of that name, recorded as a change. */
stoa_status stoa_memory_make(struct memory_fs *fs, const struct memory_place *place,
                             bool is_directory, struct memory_node **out, stoa_error *err);
void stoa_memory_unreference(struct memory_fs *fs);

/* Durability (memory_crash.c); both do nothing unless `keeps_durable`. `node` NULL: the name goes.
 * A change that is made is one that can be given back until it is recorded. */
stoa_status stoa_memory_change_create(struct memory_fs *fs, struct memory_node *directory,
                                      const char *name, struct memory_node *node,
                                      struct memory_change **out, stoa_error *err);
stoa_status stoa_memory_change_extend(struct memory_fs *fs, struct memory_change *change,
                                      struct memory_node *directory, const char *name,
                                      struct memory_node *node, stoa_error *err);
void stoa_memory_change_release(struct memory_fs *fs, struct memory_change *change);
void stoa_memory_change_record(struct memory_fs *fs, struct memory_change *change);
stoa_status stoa_memory_sync_file(struct memory_fs *fs, struct memory_node *node, stoa_error *err);
stoa_status stoa_memory_sync_directory(struct memory_fs *fs, struct memory_node *node,
                                       stoa_error *err);

#endif
