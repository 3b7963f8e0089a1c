// beast.cpp - Boost.Beast: see README.md.

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <cstdlib>
#include <deque>
#include <memory>
#include <string>
#include <type_traits>
#include <unordered_set>

namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
using tcp = asio::ip::tcp;
using Error = boost::system::error_code;
using Message = std::shared_ptr<const beast::flat_buffer>;
using Plain = websocket::stream<tcp::socket>;
using Secure = websocket::stream<beast::ssl_stream<tcp::socket>>;

static std::string deflate;

template <class Stream> class Session : public std::enable_shared_from_this<Session<Stream>>
{
  public:
    template <class... Rest> explicit Session(tcp::socket socket, Rest &...rest) : stream(std::move(socket), rest...)
    {
        beast::get_lowest_layer(stream).set_option(tcp::no_delay(true));
        websocket::permessage_deflate options;
        options.server_enable = deflate != "none";
        options.server_no_context_takeover = options.client_no_context_takeover = deflate == "shared";
        options.compLevel = 1;
        options.memLevel = 8;
        stream.set_option(options);
        stream.auto_fragment(false);
        stream.read_message_max(4 << 20);
    }

    void start()
    {
        if constexpr (std::is_same_v<Stream, Secure>)
            stream.next_layer().async_handshake(asio::ssl::stream_base::server,
                                                [self = this->shared_from_this()](Error error) {
                                                    if (!error)
                                                        self->read_request();
                                                });
        else
            read_request();
    }

  private:
    void read_request()
    {
        http::async_read(stream.next_layer(), buffer, request,
                         [self = this->shared_from_this()](Error error, size_t) {
                             if (!error)
                                 self->accept();
                         });
    }

    void accept()
    {
        stream.async_accept(request, [self = this->shared_from_this()](Error error) {
            if (error)
                return;
            self->on_topic = self->request.target() != "/echo";
            self->request = {};
            self->buffer = {};
            if (self->on_topic)
                topic.insert(self.get());
            self->read();
        });
    }

    void read()
    {
        stream.async_read(buffer, [self = this->shared_from_this()](Error error, size_t) {
            if (error) {
                topic.erase(self.get());
                return;
            }
            if (self->on_topic)
                self->publish();
            else
                self->echo();
        });
    }

    // One buffer for both ways, which the next message reuses.
    void echo()
    {
        stream.text(stream.got_text());
        stream.async_write(buffer.data(), [self = this->shared_from_this()](Error error, size_t) {
            self->buffer.consume(self->buffer.size());
            if (!error)
                self->read();
        });
    }

    void publish()
    {
        auto message = std::make_shared<const beast::flat_buffer>(std::move(buffer));
        buffer = {};
        for (Session *other : topic)
            if (other != this)
                other->deliver(message, stream.got_text());
        read();
    }

    void deliver(const Message &message, bool text)
    {
        stream.text(text);
        queue.push_back(message);
        if (queue.size() == 1)
            write();
    }

    void write()
    {
        stream.async_write(queue.front()->data(), [self = this->shared_from_this()](Error error, size_t) {
            self->queue.pop_front();
            if (!error && !self->queue.empty())
                self->write();
        });
    }

    static inline std::unordered_set<Session *> topic;
    Stream stream;
    beast::flat_buffer buffer;
    http::request<http::empty_body> request;
    std::deque<Message> queue;
    bool on_topic = false;
};

static void listen(tcp::acceptor &listener, asio::ssl::context *tls)
{
    listener.async_accept([&listener, tls](Error error, tcp::socket socket) {
        if (!error && tls)
            std::make_shared<Session<Secure>>(std::move(socket), *tls)->start();
        else if (!error)
            std::make_shared<Session<Plain>>(std::move(socket))->start();
        listen(listener, tls);
    });
}

int main(int count, char **arguments)
{
    if (count != 3 && count != 5)
        return 2;
    deflate = arguments[2];
    asio::io_context io(1);
    asio::ssl::context tls(asio::ssl::context::tls_server);
    if (count == 5) {
        tls.use_certificate_chain_file(arguments[3]);
        tls.use_private_key_file(arguments[4], asio::ssl::context::pem);
        SSL_CTX_set_session_id_context(tls.native_handle(), reinterpret_cast<const unsigned char *>("beast"), 5);
    }
    auto port = static_cast<unsigned short>(std::atoi(arguments[1]));
    tcp::acceptor listener(io, { asio::ip::make_address("127.0.0.1"), port });
    listener.listen(4096);
    listen(listener, count == 5 ? &tls : nullptr);
    io.run();
}
