/* libcurl, opened at the first request: linked, it and what it needs would make every start of a
 * program 3 ms longer, and most programs make no request. */
#ifndef STOA_VFS_HTTP_CURL_H
#define STOA_VFS_HTTP_CURL_H

#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#include <stoa/status.h>

#define HTTP_CURL_FUNCTIONS(X)                                                                     \
    X(curl_global_init)                                                                            \
    X(curl_version_info)                                                                           \
    X(curl_easy_init)                                                                              \
    X(curl_easy_cleanup)                                                                           \
    X(curl_easy_reset)                                                                             \
    X(curl_easy_setopt)                                                                            \
    X(curl_easy_getinfo)                                                                           \
    X(curl_easy_pause)                                                                             \
    X(curl_easy_strerror)                                                                          \
    X(curl_multi_init)                                                                             \
    X(curl_multi_cleanup)                                                                          \
    X(curl_multi_setopt)                                                                           \
    X(curl_multi_add_handle)                                                                       \
    X(curl_multi_remove_handle)                                                                    \
    X(curl_multi_perform)                                                                          \
    X(curl_multi_poll)                                                                             \
    X(curl_multi_info_read)                                                                        \
    X(curl_multi_strerror)                                                                         \
    X(curl_slist_append)                                                                           \
    X(curl_slist_free_all)                                                                         \
    X(curl_url)                                                                                    \
    X(curl_url_cleanup)                                                                            \
    X(curl_url_set)                                                                                \
    X(curl_url_get)                                                                                \
    X(curl_free)

/* The headers wrap some of the names in macros with arguments, which a name in a field is not. */
struct stoa_curl {
#define MEMBER(name) __typeof__ (&(name))(name);
    HTTP_CURL_FUNCTIONS(MEMBER)
#undef MEMBER
};

/// The library's functions, opened and set up at the first call; any thread.
///
/// Errors   STOA_NOT_FOUND    libcurl.so.4 does not load; the message names Debian's package
///          STOA_UNSUPPORTED  it is older than 7.87
/// Owns     The table lives as long as the process.
STOA_MUST_USE stoa_status stoa_curl_load(const struct stoa_curl **out, stoa_error *err);

#endif
