/* The bytes of files in memory. A reader or a view takes a reference and looks at the bytes without
 * the lock; so bytes that it may know are never changed or moved: appending within the capacity
 * writes behind them, all else works on a copy while somebody else holds a reference. What is mapped to
 * be written is changed through the map only. Callers hold the file system's lock. */
#include "base/checked.h"
#include "vfs/memory.h"

void stoa_memory_content_release(struct memory_fs *fs, struct memory_content *content) {
    if (content != NULL && --content->references == 0) {
        stoa_buffer_release(&content->bytes);
        stoa_pool_free(fs->pool, content, sizeof *content);
    }
}

/* The first `keep` bytes of `from` (not looked at when that is 0) with room for `size`. */
static stoa_status copy(struct memory_fs *fs, const struct memory_content *from, size_t keep,
                        size_t size, struct memory_content **out, stoa_error *err) {
    void *memory = NULL;
    STOA_TRY(stoa_pool_allocate_array(fs->pool, 1, sizeof(struct memory_content), &memory, err));
    struct memory_content *own = memory;
    own->references = 1;
    stoa_buffer_init(&own->bytes, fs->pool);
    stoa_status status = stoa_buffer_reserve(&own->bytes, size, err);
    if (status == STOA_OK && keep > 0) {
        status = stoa_buffer_append(&own->bytes, from->bytes.data, keep, err);
    }
    if (status != STOA_OK) {
        stoa_memory_content_release(fs, own);
        return status;
    }
    *out = own;
    return STOA_OK;
}

/* Gives the node a content of its own with the first `keep` bytes and room for `size`. */
static stoa_status make_own(struct memory_fs *fs, struct memory_node *node, size_t keep,
                            size_t size, stoa_error *err) {
    struct memory_content *own = NULL;
    STOA_TRY(copy(fs, node->content, keep, size, &own, err));
    stoa_memory_content_release(fs, node->content);
    node->content = own;
    return STOA_OK;
}

static stoa_status refuse_mapped(const struct memory_node *node, stoa_error *err) {
    return node->content != NULL && node->content->writable_maps > 0
               ? stoa_fail(err, STOA_INVALID, "it is mapped to be written")
               : STOA_OK;
}

stoa_status stoa_memory_content_map(struct memory_fs *fs, struct memory_node *node,
                                    struct memory_content **out, stoa_error *err) {
    const size_t size = stoa_memory_node_size(node);
    if (node->content->writable_maps == 0 && node->content->references > 1) {
        STOA_TRY(make_own(fs, node, size, size, err));
    }
    node->content->references++;
    node->content->writable_maps++;
    node->synced_prefix = 0;
    node->is_stored_into = true;
    node->change = ++fs->next_change;
    *out = node->content;
    return STOA_OK;
}

void stoa_memory_content_unmap(struct memory_fs *fs, struct memory_content *content) {
    content->writable_maps--;
    stoa_memory_content_release(fs, content);
}

stoa_status stoa_memory_content_keep(struct memory_fs *fs, struct memory_content *content,
                                     struct memory_content **out, stoa_error *err) {
    if (content->writable_maps > 0) {
        return copy(fs, content, content->bytes.size, content->bytes.size, out, err);
    }
    content->references++;
    *out = content;
    return STOA_OK;
}

/* Makes it possible to write [offset, end) into the node's own content. */
static stoa_status prepare(struct memory_fs *fs, struct memory_node *node, size_t offset,
                           size_t end, stoa_error *err) {
    size_t size = stoa_memory_node_size(node);
    if (node->content == NULL) {
        return make_own(fs, node, 0, end, err);
    }
    bool is_append = offset >= size && end <= node->content->bytes.capacity;
    if (node->content->references == 1 || is_append) {
        return end > size ? stoa_buffer_reserve(&node->content->bytes, end - size, err) : STOA_OK;
    }
    /* Copied content keeps growing by doubling. */
    size_t room = end > size ? end + end / 2 : size;
    return make_own(fs, node, size, room, err);
}

stoa_status stoa_memory_content_write(struct memory_fs *fs, struct memory_node *node, size_t offset,
                                      const void *bytes, size_t size, stoa_error *err) {
    size_t end;
    if (!stoa_add_size(offset, size, &end)) {
        return stoa_fail(err, STOA_LIMIT, "the file would be longer than memory can hold");
    }
    STOA_TRY(refuse_mapped(node, err));
    STOA_TRY(prepare(fs, node, offset, end, err));
    stoa_buffer *buffer = &node->content->bytes;
    if (offset > buffer->size) {
        memset(buffer->data + buffer->size, 0, offset - buffer->size);
    }
    memcpy(buffer->data + offset, bytes, size);
    if (end > buffer->size) {
        buffer->size = end;
    }
    node->synced_prefix = offset < node->synced_prefix ? offset : node->synced_prefix;
    node->change = ++fs->next_change;
    return STOA_OK;
}

stoa_status stoa_memory_content_resize(struct memory_fs *fs, struct memory_node *node, size_t size,
                                       stoa_error *err) {
    size_t old = stoa_memory_node_size(node);
    STOA_TRY(refuse_mapped(node, err));
    if (size < old && node->content->references > 1) {
        /* Bytes behind the new end would be overwritten by the next append, under a reader. */
        STOA_TRY(make_own(fs, node, size, size, err));
    } else if (size > old) {
        STOA_TRY(prepare(fs, node, old, size, err));
        memset(node->content->bytes.data + old, 0, size - old);
    }
    if (node->content != NULL) {
        node->content->bytes.size = size;
    }
    node->synced_prefix = size < node->synced_prefix ? size : node->synced_prefix;
    node->change = ++fs->next_change;
    return STOA_OK;
}
