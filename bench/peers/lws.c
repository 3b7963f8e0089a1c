/* lws.c - libwebsockets: see README.md. On libuv's loop, since its own is poll(), whose cost grows with the
 * connections. */
#include <libwebsockets.h>

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Sent to one or to many, and freed behind the last. LWS_PRE bytes before the payload are for the frame's header,
 * which is the same for all. */
struct message {
    size_t readers, size;
    bool binary;
    unsigned char bytes[];
};

struct session {
    struct lws *wsi;
    struct session *next, *previous; /* on the topic */
    struct message **queue;
    size_t first, count, room; /* a ring */
    struct message *coming;    /* put together of parts */
    bool on_topic;
};

static struct session *topic;

static void *need(void *memory)
{
    if (!memory)
        abort();
    return memory;
}

static void release(struct message *message)
{
    if (--message->readers == 0)
        free(message);
}

static void enqueue(struct session *session, struct message *message)
{
    if (session->count == session->room) {
        size_t room = session->room ? 2 * session->room : 4;
        struct message **queue = need(malloc(room * sizeof(struct message *)));
        for (size_t n = 0; n < session->count; n++)
            queue[n] = session->queue[(session->first + n) % session->room];
        free(session->queue);
        session->queue = queue;
        session->room = room;
        session->first = 0;
    }
    message->readers++;
    session->queue[(session->first + session->count++) % session->room] = message;
    lws_callback_on_writable(session->wsi);
}

static int write_queue(struct session *session)
{
    while (session->count > 0) {
        struct message *message = session->queue[session->first];
        enum lws_write_protocol kind = message->binary ? LWS_WRITE_BINARY : LWS_WRITE_TEXT;
        if (lws_write(session->wsi, message->bytes + LWS_PRE, message->size, kind) < 0)
            return -1;
        session->first = (session->first + 1) % session->room;
        session->count--;
        release(message);
        if (session->count > 0 && lws_send_pipe_choked(session->wsi)) {
            lws_callback_on_writable(session->wsi);
            break;
        }
    }
    return 0;
}

static void deliver(struct session *session, struct message *message)
{
    message->readers++;
    if (!session->on_topic)
        enqueue(session, message);
    for (struct session *other = topic; session->on_topic && other; other = other->next)
        if (other != session)
            enqueue(other, message);
    release(message);
}

static void hear(struct session *session, const void *bytes, size_t size)
{
    size_t have = session->coming ? session->coming->size : 0;
    size_t whole = have + size + lws_remaining_packet_payload(session->wsi);
    if (!session->coming)
        session->coming = need(calloc(1, sizeof *session->coming + LWS_PRE + whole));
    else if (lws_is_first_fragment(session->wsi) == 0 && lws_remaining_packet_payload(session->wsi) == 0 &&
             whole > have)
        session->coming = need(realloc(session->coming, sizeof *session->coming + LWS_PRE + whole));
    memcpy(session->coming->bytes + LWS_PRE + have, bytes, size);
    session->coming->size = have + size;
    session->coming->binary = lws_frame_is_binary(session->wsi);
    if (lws_is_final_fragment(session->wsi) && lws_remaining_packet_payload(session->wsi) == 0) {
        struct message *message = session->coming;
        session->coming = NULL;
        deliver(session, message);
    }
}

static void join(struct session *session, struct lws *wsi)
{
    char path[64];
    session->wsi = wsi;
    if (lws_hdr_copy(wsi, path, sizeof path, WSI_TOKEN_GET_URI) <= 0 || strcmp(path, "/echo") == 0)
        return;
    session->on_topic = true;
    session->next = topic;
    if (topic)
        topic->previous = session;
    topic = session;
}

static void leave(struct session *session)
{
    if (session->on_topic) {
        if (session->previous)
            session->previous->next = session->next;
        else
            topic = session->next;
        if (session->next)
            session->next->previous = session->previous;
    }
    for (; session->count > 0; session->count--) {
        release(session->queue[session->first]);
        session->first = (session->first + 1) % session->room;
    }
    free(session->queue);
    free(session->coming);
}

static int serve(struct lws *wsi, enum lws_callback_reasons what, void *user, void *in, size_t size)
{
    switch (what) {
    case LWS_CALLBACK_ESTABLISHED:
        join(user, wsi);
        return 0;
    case LWS_CALLBACK_RECEIVE:
        hear(user, in, size);
        return 0;
    case LWS_CALLBACK_SERVER_WRITEABLE:
        return write_queue(user);
    case LWS_CALLBACK_CLOSED:
        leave(user);
        return 0;
    default:
        return 0;
    }
}

int main(int count, char **arguments)
{
    static const struct lws_protocols protocols[] = {
        { .name = "peer",
          .callback = serve,
          .per_session_data_size = sizeof(struct session),
          .rx_buffer_size = 65536 },
        { .name = NULL },
    };
    if (count != 3 && count != 5)
        return 2;
    struct lws_context_creation_info info = {
        .port = atoi(arguments[1]), .iface = "127.0.0.1", .protocols = protocols, .gid = (gid_t)-1, .uid = (uid_t)-1
    };
    info.options = LWS_SERVER_OPTION_LIBUV;
    info.pt_serv_buf_size = 65536;
    if (count == 5) {
        info.options |= LWS_SERVER_OPTION_DO_SSL_GLOBAL_INIT;
        info.ssl_cert_filepath = arguments[3];
        info.ssl_private_key_filepath = arguments[4];
    }
    lws_set_log_level(LLL_ERR, NULL);
    struct lws_context *context = need(lws_create_context(&info));
    while (lws_service(context, 0) >= 0)
        continue;
    return 1;
}
