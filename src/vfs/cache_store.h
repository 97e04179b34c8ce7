/* The cache's files on disk. Format, locks and eviction: cache_store.c. */
#ifndef STOA_VFS_CACHE_STORE_H
#define STOA_VFS_CACHE_STORE_H

#include <stoa/context.h>

#include "vfs/cache.h"

/// One version of one file: its blocks, as far as they are there. All-zero is closed.
struct cache_entry {
    stoa_cache *cache;
    int data; /* the blocks, where they lie in the file */
    int map;  /* a checksum for each block that is there; its descriptor holds the locks */
    uint64_t key[2];
    uint64_t size;
    uint32_t block_bytes;
};

stoa_cache *stoa_cache_retain(stoa_cache *cache);
/// Says once why the cache is not used.
void stoa_cache_complain(stoa_cache *cache, const char *what, int number);

/// Opens or makes the entry of `name` + `path` at `version`; while it is open it is not evicted.
/// False when the disk does not want to.
bool stoa_cache_entry_open(stoa_cache *cache, const char *name, const char *path,
                           const char *version, uint64_t size, struct cache_entry *out);
void stoa_cache_entry_close(struct cache_entry *entry);

/// Bytes of a block: the last one may be shorter.
size_t stoa_cache_block_size(const struct cache_entry *entry, uint64_t block);

/// Reads a block and checks it; false when it is not there or not what was stored.
bool stoa_cache_block_read(const struct cache_entry *entry, uint64_t block, uint8_t *out);

/// Stores a block. False when there is no room; the block is then not there.
bool stoa_cache_block_write(const struct cache_entry *entry, uint64_t block, const uint8_t *bytes);

/// Waits until no other handle, of this process or another, fetches `count` blocks from `block` on;
/// until the unlock they wait. STOA_CANCELLED is the only error; where locks cannot be had, nobody
/// waits.
STOA_MUST_USE stoa_status stoa_cache_blocks_lock(const struct cache_entry *entry, uint64_t block,
                                                 uint64_t count, const stoa_cancel *cancel,
                                                 stoa_error *err);
void stoa_cache_blocks_unlock(const struct cache_entry *entry, uint64_t block, uint64_t count);

/// The path of the data, into `out` of `size` bytes; false when it is too long.
bool stoa_cache_data_path(const struct cache_entry *entry, char *out, size_t size);

#endif
