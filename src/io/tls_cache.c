/* tls_cache.c - sessions of clients, by server name. */
#include "io/tls.h"

#include <stdlib.h>

/* Its mutex is held. */
static struct swale__tls_cached *find(struct swale__tls_cache *cache, const char *server_name)
{
    for (size_t i = 0; i < SWALE__TLS_CACHE_SIZE; i++) {
        struct swale__tls_cached *entry = &cache->entries[i];
        if (entry->server_name && strcmp(entry->server_name, server_name) == 0)
            return entry;
    }
    return NULL;
}

static void empty(struct swale__tls_cached *entry)
{
    free(entry->server_name);
    SSL_SESSION_free(entry->session);
    *entry = (struct swale__tls_cached){ 0 };
}

void swale__tls_cache_put(struct swale__tls_cache *cache, const char *server_name, uint64_t generation,
                          SSL_SESSION *session)
{
    char *name = strdup(server_name);
    if (!name) {
        SSL_SESSION_free(session);
        return;
    }
    pthread_mutex_lock(&cache->mutex);
    struct swale__tls_cached *entry = find(cache, server_name);
    if (!entry)
        entry = &cache->entries[cache->oldest++ % SWALE__TLS_CACHE_SIZE];
    empty(entry);
    *entry = (struct swale__tls_cached){ .server_name = name, .session = session, .generation = generation };
    pthread_mutex_unlock(&cache->mutex);
}

SSL_SESSION *swale__tls_cache_take(struct swale__tls_cache *cache, const char *server_name, uint64_t generation)
{
    SSL_SESSION *session = NULL;
    pthread_mutex_lock(&cache->mutex);
    struct swale__tls_cached *entry = find(cache, server_name);
    if (entry && entry->generation != generation) {
        empty(entry);
    } else if (entry && entry->session) {
        session = entry->session;
        if (SSL_SESSION_get_protocol_version(session) >= TLS1_3_VERSION)
            entry->session = NULL;
        else
            SSL_SESSION_up_ref(session);
    }
    pthread_mutex_unlock(&cache->mutex);
    return session;
}

void swale__tls_cache_clear(struct swale__tls_cache *cache)
{
    for (size_t i = 0; i < SWALE__TLS_CACHE_SIZE; i++)
        empty(&cache->entries[i]);
}
