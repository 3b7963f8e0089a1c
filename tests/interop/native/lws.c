/* lws.c - Debian's libwebsockets as a server (`lws server ARGUMENT...`, see peers.py) and as a client
 * (`lws client ARGUMENT...`, see systems.py), without its permessage-deflate: 4.1 aborts by an assertion when it has
 * to compress two empty messages one after the other. */
#include <libwebsockets.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LARGEST = 1 << 20, BURST = 100, SIZES = 7, MESSAGES = 2 * SIZES + BURST };

struct message {
    struct message *next;
    size_t size;
    bool text;
    unsigned char bytes[]; /* behind LWS_PRE others */
};

/* What libwebsockets keeps for each connection. */
struct session {
    struct message *first, **last; /* to be sent */
    unsigned char *heard;          /* of the message that is coming */
    size_t size;
    bool closing;
    int code;
    char reason[124];
};

static void *need(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

static void enqueue(struct lws *wsi, struct session *session, bool text, const void *bytes, size_t size)
{
    struct message *message = need(malloc(sizeof *message + LWS_PRE + size));
    *message = (struct message){ .size = size, .text = text };
    memcpy(message->bytes + LWS_PRE, bytes, size);
    *session->last = message;
    session->last = &message->next;
    lws_callback_on_writable(wsi);
}

/* -1: the connection shall close. */
static int write_next(struct lws *wsi, struct session *session)
{
    struct message *message = session->first;
    if (message) {
        enum lws_write_protocol kind = message->text ? LWS_WRITE_TEXT : LWS_WRITE_BINARY;
        if (lws_write(wsi, message->bytes + LWS_PRE, message->size, kind) < 0)
            return -1;
        session->first = message->next;
        if (!session->first)
            session->last = &session->first;
        free(message);
        lws_callback_on_writable(wsi);
    } else if (session->closing) {
        lws_close_reason(wsi, (enum lws_close_status)session->code, (unsigned char *)session->reason,
                         strlen(session->reason));
        return -1;
    }
    return 0;
}

/* Whether the message is whole now. */
static bool hear(struct lws *wsi, struct session *session, const void *bytes, size_t size)
{
    if (lws_is_first_fragment(wsi))
        session->size = 0;
    session->heard = need(realloc(session->heard, session->size + size + 1));
    memcpy(session->heard + session->size, bytes, size);
    session->size += size;
    session->heard[session->size] = '\0';
    return lws_is_final_fragment(wsi);
}

static void forget(struct session *session)
{
    while (session->first) {
        struct message *message = session->first;
        session->first = message->next;
        free(message);
    }
    free(session->heard);
    session->heard = NULL;
}

/* The close frame that has come; 1005 when it has no code. */
static int code_of(const unsigned char *payload, size_t size)
{
    return size < 2 ? 1005 : payload[0] << 8 | payload[1];
}

/* ---- The server ------------------------------------------------------------------------------------- */

static void answer(struct lws *wsi, struct session *session)
{
    bool text = !lws_frame_is_binary(wsi);
    int used;
    if (text && sscanf((char *)session->heard, "swale:close %d %n", &session->code, &used) == 1) {
        snprintf(session->reason, sizeof session->reason, "%s", (char *)session->heard + used);
        session->closing = true;
        lws_callback_on_writable(wsi);
    } else {
        enqueue(wsi, session, text, session->heard, session->size);
    }
}

static int serve(struct lws *wsi, enum lws_callback_reasons what, void *user, void *in, size_t size)
{
    struct session *session = user;
    switch (what) {
    case LWS_CALLBACK_ESTABLISHED:
        session->last = &session->first;
        return 0;
    case LWS_CALLBACK_RECEIVE:
        if (hear(wsi, session, in, size))
            answer(wsi, session);
        return 0;
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return write_next(wsi, session);
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
        printf("closed %d %.*s\n", code_of(in, size), size < 2 ? 0 : (int)size - 2, (char *)in + 2);
        return 0;
    case LWS_CALLBACK_CLOSED:
        forget(session);
        return 0;
    default:
        return 0;
    }
}

/* ---- The client ------------------------------------------------------------------------------------- */

static char text[LARGEST + 16];
static unsigned char binary[LARGEST];
static unsigned awaited;
static bool ponged, ended, failed;

/* The message of that number; its size. */
static size_t make(unsigned number, char *own, const void **bytes)
{
    static const size_t sizes[] = { 0, 1, 125, 126, 65535, 65536, LARGEST };
    if (number < 2 * SIZES) {
        *bytes = number % 2 ? (void *)binary : (void *)text;
        return sizes[number / 2];
    }
    *bytes = own;
    return (size_t)sprintf(own, "message %u", number - 2 * SIZES);
}

static void fail(const char *what)
{
    if (failed)
        return;
    fprintf(stderr, "%s\n", what);
    failed = ended = true;
}

static void send_all(struct lws *wsi, struct session *session)
{
    for (unsigned number = 0; number < MESSAGES; number++) {
        char own[32];
        const void *bytes;
        size_t size = make(number, own, &bytes);
        enqueue(wsi, session, number >= 2 * SIZES || number % 2 == 0, bytes, size);
    }
}

static void compare(struct lws *wsi, struct session *session)
{
    char own[32];
    const void *bytes;
    size_t size = make(awaited, own, &bytes);
    if (session->size != size || memcmp(session->heard, bytes, size) != 0)
        fail("another message");
    if (++awaited == MESSAGES)
        lws_callback_on_writable(wsi);
}

/* Everything has come back: a ping, and when it is answered, the end. */
static int finish(struct lws *wsi, struct session *session)
{
    unsigned char ping[LWS_PRE + 6];
    memcpy(ping + LWS_PRE, "there?", 6);
    if (!ponged)
        return lws_write(wsi, ping + LWS_PRE, 6, LWS_WRITE_PING) < 0 ? -1 : 0;
    session->closing = true;
    session->code = 4000;
    strcpy(session->reason, "bye");
    return write_next(wsi, session);
}

static int talk(struct lws *wsi, enum lws_callback_reasons what, void *user, void *in, size_t size)
{
    struct session *session = user;
    switch (what) {
    case LWS_CALLBACK_CLIENT_ESTABLISHED:
        session->last = &session->first;
        puts("agreed plain"); /* nothing else was offered */
        send_all(wsi, session);
        return 0;
    case LWS_CALLBACK_CLIENT_RECEIVE:
        if (hear(wsi, session, in, size))
            compare(wsi, session);
        return 0;
    case LWS_CALLBACK_CLIENT_RECEIVE_PONG:
        ponged = size == 6 && memcmp(in, "there?", 6) == 0;
        lws_callback_on_writable(wsi);
        return 0;
    case LWS_CALLBACK_CLIENT_WRITEABLE:
        return awaited == MESSAGES ? finish(wsi, session) : write_next(wsi, session);
    case LWS_CALLBACK_CLIENT_CLOSED:
        /* With which code, it does not tell who closed first. */
        puts("closed");
        forget(session);
        ended = true;
        return 0;
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR:
        fail(in ? in : "no connection");
        return 0;
    default:
        return 0;
    }
}

/* ---- The command line ------------------------------------------------------------------------------- */

static int run_server(int count, char **arguments)
{
    static const struct lws_protocols protocols[] = { { .name = "second",
                                                        .callback = serve,
                                                        .per_session_data_size = sizeof(struct session),
                                                        .rx_buffer_size = 65536 },
                                                      { .name = NULL } };
    struct lws_context_creation_info info = { .port = atoi(arguments[0]),
                                              .iface = "127.0.0.1",
                                              .protocols = protocols,
                                              .gid = (gid_t)-1,
                                              .uid = (uid_t)-1,
                                              .options = LWS_SERVER_OPTION_EXPLICIT_VHOSTS };
    if (count > 2) {
        info.ssl_cert_filepath = arguments[2];
        info.ssl_private_key_filepath = arguments[3];
        info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
    }
    struct lws_context *context = need(lws_create_context(&info));
    struct lws_vhost *host = need(lws_create_vhost(context, &info));
    printf("listening %d\n", lws_get_vhost_listen_port(host));
    while (lws_service(context, 0) >= 0)
        continue;
    return 1;
}

static void fill(void)
{
    for (unsigned n = 0, size = 0; size < LARGEST; n++)
        size += (unsigned)snprintf(text + size, sizeof text - size, "%u ", n);
    for (unsigned n = 0; n < LARGEST; n++)
        binary[n] = (unsigned char)(n * 7 + n / 251);
}

static int run_client(int count, char **arguments)
{
    static const struct lws_protocols protocols[] = { { .name = "client",
                                                        .callback = talk,
                                                        .per_session_data_size = sizeof(struct session),
                                                        .rx_buffer_size = 65536 },
                                                      { .name = NULL } };
    struct lws_context_creation_info info = {
        .port = CONTEXT_PORT_NO_LISTEN, .protocols = protocols, .gid = (gid_t)-1, .uid = (uid_t)-1
    };
    const char *scheme, *host, *path;
    int port;
    char absolute[256];
    if (count > 2) {
        info.options = LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
        info.client_ssl_ca_filepath = arguments[2];
    }
    fill();
    if (lws_parse_uri(arguments[0], &scheme, &host, &port, &path) != 0)
        return 1;
    snprintf(absolute, sizeof absolute, "/%s", path);
    struct lws_context *context = need(lws_create_context(&info));
    struct lws_client_connect_info connect = { .context = context,
                                               .address = host,
                                               .port = port,
                                               .path = absolute,
                                               .host = host,
                                               .origin = NULL,
                                               .ssl_connection = count > 2 ? LCCSCF_USE_SSL : 0,
                                               .local_protocol_name = "client" };
    if (!lws_client_connect_via_info(&connect))
        return 1;
    while (!ended && lws_service(context, 0) >= 0)
        continue;
    lws_context_destroy(context);
    return failed;
}

int main(int count, char **arguments)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    lws_set_log_level(LLL_ERR, NULL);
    return strcmp(arguments[1], "server") == 0 ? run_server(count - 2, arguments + 2)
                                               : run_client(count - 2, arguments + 2);
}
