// A user in C++: no designated initialisers in C++17, lambdas without captures as callbacks, an object as user data.
// Prints the version; it never listens.
#include <cstdio>
#include <memory>
#include <string>
#include <swale/swale.h>

namespace
{

struct Echo {
    std::string last;
    unsigned long count = 0;

    void message(swale_conn *conn, const swale_message &message)
    {
        last.assign(message.data.data, message.data.size);
        count++;
        swale_conn_send(conn, message.kind, last.data(), last.size());
    }
};

swale_handler make_handler()
{
    swale_handler handler{};
    handler.on_open = [](swale_conn *conn) { swale_conn_set_user(conn, new Echo); };
    handler.on_message = [](swale_conn *conn, const swale_message *message) {
        static_cast<Echo *>(swale_conn_user(conn))->message(conn, *message);
    };
    handler.on_close = [](swale_conn *conn, const swale_close *close) {
        std::printf("%s\n", swale_error_name(close->reason));
        delete static_cast<Echo *>(swale_conn_user(conn));
    };
    return handler;
}

struct Free {
    void operator()(swale_server *server) const
    {
        swale_server_free(server);
    }
};

} // namespace

int main()
{
    static const swale_handler handler = make_handler();
    swale_server_options options{};
    options.threads = 1;
    options.limits.max_message = SWALE_UNLIMITED;
    swale_server *made = nullptr;
    if (swale_server_new(&made, &options) != 0)
        return 1;
    std::unique_ptr<swale_server, Free> server(made);
#if __cplusplus >= 202002L
    const swale_route route{ .handler = &handler, .origins = nullptr };
#else
    swale_route route{};
    route.handler = &handler;
#endif
    if (swale_server_route(server.get(), "/", &route) != 0 || swale_error_slot(SWALE_ERR_UTF8) == 0)
        return 1;
    swale_timer timer{};
    if (swale_timer_running(&timer) || !swale_span_equal(swale_text("a"), swale_span("ab", 1)))
        return 1;
    std::puts(swale_version());
    return 0;
}
