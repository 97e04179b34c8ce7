/* How fast is a compressed file read through the file system, against the plain loop of the format's
 * own library?
 *
 *     bench_vfs_compressed_vfs_compressed [MIB [RUNS]]
 *
 * MIB of orders rows as CSV text, packed once with each format's usual settings by its own command
 * ("bgzf" by us, as gzip), in a local file in the page cache. Both read the file in pieces and sum up
 * every 64th byte of what they unpack into a buffer of 256 KiB; the rival is read(2) into 128 KiB and
 * the library's streaming call. Runs alternate; printed are the medians in MB of plain bytes a second.
 * Then the time of a read of 4 KiB at a random place, after the size was asked for. */
#include <bzlib.h>
#include <fcntl.h>
#include <inttypes.h>
#include <lz4frame.h>
#include <lzma.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/clock.h"
#include "base/hash.h"
#include "vfs/compressed.h"
#include "vfs/vfs.h"

enum { OUT_BYTES = 256 << 10, IN_BYTES = 128 << 10, RUNS_MAX = 50 };

static uint8_t in[IN_BYTES];
static uint8_t out[OUT_BYTES];
static stoa_context context;
static stoa_fs_registry *registry;

static void check(stoa_status status, const stoa_error *err) {
    if (status != STOA_OK) {
        fprintf(stderr, "vfs_compressed: %s\n", err->message);
        exit(1);
    }
}

static void require(int condition, const char *what) {
    if (!condition) {
        fprintf(stderr, "vfs_compressed: %s failed\n", what);
        exit(1);
    }
}

static uint64_t sum_of(const uint8_t *bytes, size_t size) {
    uint64_t sum = size;
    for (size_t i = 0; i < size; i += 64) {
        sum += bytes[i];
    }
    return sum;
}

static size_t fetch(int descriptor) {
    ssize_t got = read(descriptor, in, sizeof in);
    require(got >= 0, "read");
    return (size_t)got;
}

static uint64_t read_zlib(int descriptor) {
    z_stream stream = {0};
    uint64_t sum = 0;
    int code = Z_OK;
    require(inflateInit2(&stream, 15 + 32) == Z_OK, "inflateInit2");
    for (;;) {
        if (stream.avail_in == 0) {
            stream.avail_in = (uInt)fetch(descriptor);
            stream.next_in = in;
        }
        if (code == Z_STREAM_END && stream.avail_in == 0) {
            break;
        }
        if (code == Z_STREAM_END) {
            require(inflateReset(&stream) == Z_OK, "inflateReset");
        }
        stream.next_out = out;
        stream.avail_out = sizeof out;
        code = inflate(&stream, Z_NO_FLUSH);
        require(code == Z_OK || code == Z_STREAM_END, "inflate");
        sum += sum_of(out, sizeof out - stream.avail_out);
    }
    inflateEnd(&stream);
    return sum;
}

static uint64_t read_zstd(int descriptor) {
    ZSTD_DCtx *unpacker = ZSTD_createDCtx();
    ZSTD_inBuffer from = {in, 0, 0};
    uint64_t sum = 0;
    for (;;) {
        if (from.pos == from.size) {
            from = (ZSTD_inBuffer){in, fetch(descriptor), 0};
            if (from.size == 0) {
                break;
            }
        }
        ZSTD_outBuffer to = {out, sizeof out, 0};
        require(!ZSTD_isError(ZSTD_decompressStream(unpacker, &to, &from)), "zstd");
        sum += sum_of(out, to.pos);
    }
    ZSTD_freeDCtx(unpacker);
    return sum;
}

static uint64_t read_lz4(int descriptor) {
    LZ4F_dctx *unpacker = NULL;
    uint64_t sum = 0;
    require(!LZ4F_isError(LZ4F_createDecompressionContext(&unpacker, LZ4F_VERSION)), "lz4");
    for (size_t size; (size = fetch(descriptor)) > 0;) {
        for (size_t at = 0; at < size;) {
            size_t taken = size - at, made = sizeof out;
            require(!LZ4F_isError(LZ4F_decompress(unpacker, out, &made, in + at, &taken, NULL)),
                    "lz4");
            sum += sum_of(out, made);
            at += taken;
        }
    }
    LZ4F_freeDecompressionContext(unpacker);
    return sum;
}

static uint64_t read_bzip2(int descriptor) {
    bz_stream stream = {0};
    uint64_t sum = 0;
    int code = BZ_OK;
    require(BZ2_bzDecompressInit(&stream, 0, 0) == BZ_OK, "bzip2");
    while (code != BZ_STREAM_END) {
        if (stream.avail_in == 0) {
            stream.avail_in = (unsigned)fetch(descriptor);
            stream.next_in = (char *)in;
        }
        stream.next_out = (char *)out;
        stream.avail_out = sizeof out;
        code = BZ2_bzDecompress(&stream);
        require(code == BZ_OK || code == BZ_STREAM_END, "bzip2");
        sum += sum_of(out, sizeof out - stream.avail_out);
    }
    BZ2_bzDecompressEnd(&stream);
    return sum;
}

static uint64_t read_xz(int descriptor) {
    lzma_stream stream = LZMA_STREAM_INIT;
    uint64_t sum = 0;
    lzma_ret code = lzma_stream_decoder(&stream, UINT64_MAX, 0);
    while (code == LZMA_OK) {
        if (stream.avail_in == 0) {
            stream.avail_in = fetch(descriptor);
            stream.next_in = in;
        }
        stream.next_out = out;
        stream.avail_out = sizeof out;
        code = lzma_code(&stream, stream.avail_in == 0 ? LZMA_FINISH : LZMA_RUN);
        sum += sum_of(out, sizeof out - stream.avail_out);
    }
    require(code == LZMA_STREAM_END, "xz");
    lzma_end(&stream);
    return sum;
}

static uint64_t read_ours(const char *path) {
    stoa_error err;
    stoa_file *packed = NULL;
    stoa_file *file = NULL;
    stoa_packing packing;
    uint64_t sum = 0, offset = 0;
    size_t got = 1;
    check(stoa_vfs_open(registry, path, STOA_OPEN_READ, &context, &packed, &err), &err);
    check(stoa_compressed_open(&context, packed, &packing, &file, &err), &err);
    for (; got > 0; offset += got) {
        check(stoa_file_read_some(file, offset, out, sizeof out, &got, &err), &err);
        sum += sum_of(out, got);
    }
    stoa_file_close(file);
    return sum;
}

struct format {
    const char *name;
    const char *rival;
    uint64_t (*read)(int descriptor);
    const char *command; /* packs standard input; NULL: we do, as gzip */
};

static int compare(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static double seconds_since(int64_t start) {
    return (double)(stoa_clock_monotonic_ns() - start) / 1e9;
}

/* The sum over pieces depends on where they are cut: only their sizes and lengths are compared. */
static void contest(const struct format *format, const char *path, double mb, int runs) {
    double ours[RUNS_MAX], theirs[RUNS_MAX];
    for (int i = 0; i < runs; i++) {
        int64_t start = stoa_clock_monotonic_ns();
        uint64_t our_sum = read_ours(path);
        ours[i] = seconds_since(start);
        int descriptor = open(path, O_RDONLY);
        require(descriptor >= 0, path);
        start = stoa_clock_monotonic_ns();
        uint64_t their_sum = format->read(descriptor);
        theirs[i] = seconds_since(start);
        close(descriptor);
        require(our_sum > 0 && their_sum > 0, "reading");
    }
    qsort(ours, (size_t)runs, sizeof ours[0], compare);
    qsort(theirs, (size_t)runs, sizeof theirs[0], compare);
    double a = mb / ours[runs / 2], b = mb / theirs[runs / 2];
    printf("ratio vfs.compressed.%s %.0f MB/s vs %s %.0f = %.2fx\n", format->name, a, format->rival,
           b, a / b);
    fflush(stdout);
}

/* One read of 4 KiB at each of 200 random places, in microseconds. */
static void random_reads(const char *name, const char *path, uint64_t size) {
    stoa_error err;
    stoa_file *packed = NULL;
    stoa_file *file = NULL;
    stoa_packing packing;
    uint64_t sum = 0;
    enum { READS = 200 };
    check(stoa_vfs_open(registry, path, STOA_OPEN_READ, &context, &packed, &err), &err);
    check(stoa_compressed_open(&context, packed, &packing, &file, &err), &err);
    uint64_t plain_size = 0;
    check(stoa_file_size(file, &plain_size, &err), &err);
    require(plain_size == size, "the size");
    int64_t start = stoa_clock_monotonic_ns();
    for (uint64_t i = 0; i < READS; i++) {
        check(stoa_file_read(file, stoa_hash_u64(i + 1) % (size - 4096), out, 4096, &err), &err);
        sum += sum_of(out, 4096);
    }
    require(sum > 0, "reading");
    printf("figure vfs.compressed.%s.random %.0f us\n", name, seconds_since(start) * 1e6 / READS);
    stoa_file_close(file);
}

/* Through the compressed file system: gzip in members of 64 KiB. */
static void pack_ourselves(const char *plain, const char *path) {
    stoa_error err;
    stoa_fs fs;
    stoa_file *from = NULL;
    stoa_file *to = NULL;
    uint64_t offset = 0;
    size_t got = 1;
    check(stoa_fs_compressed_create(context.pool, stoa_fs_local(), STOA_PACKING_GZIP, &fs, &err),
          &err);
    check(stoa_vfs_open(registry, plain, STOA_OPEN_READ, &context, &from, &err), &err);
    check(fs.operations->open(fs.state, path, STOA_OPEN_REPLACE, &context, &to, &err), &err);
    for (; got > 0; offset += got) {
        check(stoa_file_read_some(from, offset, out, sizeof out, &got, &err), &err);
        check(stoa_file_write(to, out, got, &err), &err);
    }
    check(stoa_file_sync(to, &err), &err);
    stoa_file_close(from);
    stoa_file_close(to);
    stoa_fs_close(&fs);
}

int main(int count, char **arguments) {
    static const struct format formats[] = {
        {"gzip", "zlib", read_zlib, "gzip -6"},
        {"bgzf", "zlib", read_zlib, NULL},
        {"zstd", "libzstd", read_zstd, "zstd -q -3 -c"},
        {"lz4", "liblz4", read_lz4, "lz4 -q -1 -c"},
        {"bzip2", "libbz2", read_bzip2, "bzip2 -9"},
        {"xz", "liblzma", read_xz, "xz -3 --block-size=8MiB"},
    };
    stoa_error err;
    char directory[] = "/tmp/stoa-compressed-XXXXXX";
    char plain[64], path[64], command[256];
    long mib = count > 1 ? strtol(arguments[1], NULL, 10) : 64;
    int runs = count > 2 ? atoi(arguments[2]) : 5;
    if (mib < 1 || runs < 1 || runs > RUNS_MAX || mkdtemp(directory) == NULL) {
        fprintf(stderr, "usage: vfs_compressed [MIB [RUNS]]\n");
        return 2;
    }
    check(stoa_pool_create(0, NULL, &context.pool, &err), &err);
    check(stoa_fs_registry_create(context.pool, &registry, &err), &err);
    (void)snprintf(plain, sizeof plain, "%s/orders.csv", directory);
    FILE *rows = fopen(plain, "w");
    require(rows != NULL, plain);
    uint64_t size = 0;
    for (uint64_t i = 0; size < (uint64_t)mib << 20; i++) {
        uint64_t random = stoa_hash_u64(i + 1);
        size += (uint64_t)fprintf(rows,
                                  "%" PRIu64 ",%" PRIu64 ",%s,%" PRIu64 ".%02" PRIu64
                                  ",2024-%02" PRIu64 "-%02" PRIu64 "\n",
                                  i, random % 1000000,
                                  (const char *[]){"paid", "open", "sent", "back",
                                                   "lost"}[random >> 61 > 4 ? 0 : random >> 61],
                                  random >> 40 & 1023, (random >> 20) % 100,
                                  (random >> 24) % 12 + 1, (random >> 32) % 28 + 1);
    }
    require(fclose(rows) == 0, plain);
    (void)snprintf(path, sizeof path, "%s/packed", directory);
    for (size_t i = 0; i < sizeof formats / sizeof formats[0]; i++) {
        if (formats[i].command == NULL) {
            pack_ourselves(plain, path);
        } else {
            (void)snprintf(command, sizeof command, "%s < %s > %s", formats[i].command, plain,
                           path);
            require(system(command) == 0, command);
        }
        contest(&formats[i], path, (double)size / 1e6, runs);
        random_reads(formats[i].name, path, size);
    }
    check(stoa_vfs_remove_tree(registry, directory, NULL, &err), &err);
    stoa_fs_registry_close(registry);
    stoa_pool_close(context.pool);
    return 0;
}
