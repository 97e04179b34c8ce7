/* Where a URI splits into scheme and path. See uri.c. */
#ifndef STOA_VFS_URI_H
#define STOA_VFS_URI_H

#include <stdbool.h>
#include <stddef.h>

/// Bytes of the scheme that `uri` begins with, without its colon; 0 when it is a path.
size_t stoa_uri_scheme_length(const char *uri);

/// Where the file's path begins in a "file" URI; NULL when it names another host.
const char *stoa_uri_file_path(const char *uri);

/// The offset of the last part of `uri`, after the scheme and every '/' before it. Trailing '/' do
/// not count: "a/b/" gives that of "b".
size_t stoa_uri_name_offset(const char *uri);

/// The offset where the path begins that may be taken apart: after "scheme:", and after
/// "scheme://authority" where there is one.
size_t stoa_uri_root_offset(const char *uri);

#endif
