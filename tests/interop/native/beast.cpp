// beast.cpp - Debian's Boost.Beast as a server (`beast server ARGUMENT...`, see peers.py) and as a client
// (`beast client ARGUMENT...`, see systems.py). All of it blocks; the server has a thread for each connection.

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/ssl.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/ssl.hpp>
#include <boost/beast/websocket.hpp>
#include <boost/beast/websocket/ssl.hpp>
#include <iostream>
#include <sstream>
#include <string>
#include <thread>

namespace beast = boost::beast;
namespace http = beast::http;
namespace websocket = beast::websocket;
namespace ssl = boost::asio::ssl;
using tcp = boost::asio::ip::tcp;
using Plain = websocket::stream<tcp::socket>;
using Secure = websocket::stream<beast::ssl_stream<tcp::socket>>;

template <class Peer> static void offer_deflate(Peer &peer)
{
    websocket::permessage_deflate deflate;
    deflate.server_enable = deflate.client_enable = true;
    peer.set_option(deflate);
}

// ---- The server

template <class Peer> static void accept(Peer &peer)
{
    beast::flat_buffer buffer;
    http::request<http::string_body> request;
    http::read(peer.next_layer(), buffer, request);
    bool second = request[http::field::sec_websocket_protocol].find("second") != beast::string_view::npos;
    peer.set_option(websocket::stream_base::decorator([=](websocket::response_type &answer) {
        if (second)
            answer.set(http::field::sec_websocket_protocol, "second");
    }));
    offer_deflate(peer);
    peer.read_message_max(4 << 20);
    peer.accept(request);
}

template <class Peer> static void answer(Peer &peer, const beast::flat_buffer &message)
{
    std::istringstream words(beast::buffers_to_string(message.data()));
    std::string command, text;
    int code;
    if (peer.got_text() && words >> command && command == "swale:close" && words >> code) {
        std::getline(words >> std::ws, text);
        peer.close({ static_cast<websocket::close_code>(code), text });
        return;
    }
    peer.text(peer.got_text());
    peer.write(message.data());
}

template <class Peer> static void echo(Peer &peer)
{
    try {
        accept(peer);
        for (;;) {
            beast::flat_buffer message;
            peer.read(message);
            answer(peer, message);
        }
    } catch (const beast::system_error &error) {
        std::ostringstream line;
        if (error.code() == websocket::error::closed)
            line << "closed " << peer.reason().code << " " << peer.reason().reason << "\n";
        else
            line << "error " << error.what() << "\n";
        std::cout << line.str() << std::flush;
    }
}

static void serve_plain(tcp::socket socket)
{
    Plain peer(std::move(socket));
    echo(peer);
}

static void serve_secure(tcp::socket socket, ssl::context &tls)
{
    Secure peer(std::move(socket), tls);
    boost::system::error_code error;
    peer.next_layer().handshake(ssl::stream_base::server, error);
    if (!error)
        echo(peer);
}

static void serve(int count, char **arguments)
{
    boost::asio::io_context io;
    ssl::context tls(ssl::context::tls);
    if (count > 2) {
        tls.use_certificate_chain_file(arguments[2]);
        tls.use_private_key_file(arguments[3], ssl::context::pem);
    }
    auto port = static_cast<unsigned short>(std::stoi(arguments[0]));
    tcp::acceptor listener(io, { boost::asio::ip::make_address("127.0.0.1"), port });
    std::cout << "listening " << listener.local_endpoint().port() << std::endl;
    for (;;) {
        tcp::socket socket = listener.accept();
        if (count > 2)
            std::thread(serve_secure, std::move(socket), std::ref(tls)).detach();
        else
            std::thread(serve_plain, std::move(socket)).detach();
    }
}

// ---- The client

static void require(bool condition, const char *what)
{
    if (!condition)
        throw std::runtime_error(what);
}

template <class Peer> static void send(Peer &peer, bool text, const std::string &message)
{
    peer.text(text);
    peer.write(boost::asio::buffer(message));
}

template <class Peer> static void expect(Peer &peer, bool text, const std::string &message)
{
    beast::flat_buffer heard;
    peer.read(heard);
    require(peer.got_text() == text && beast::buffers_to_string(heard.data()) == message, "another message");
}

template <class Peer> static void exchange_all(Peer &peer)
{
    std::string text, binary(1 << 20, 0);
    for (int n = 0; text.size() < binary.size(); n++)
        text += std::to_string(n) + " ";
    for (size_t n = 0; n < binary.size(); n++)
        binary[n] = static_cast<char>(n * 7 + n / 251);
    for (size_t size : { 0, 1, 125, 126, 65535, 65536, 1 << 20 }) {
        send(peer, true, text.substr(0, size));
        expect(peer, true, text.substr(0, size));
        send(peer, false, binary.substr(0, size));
        expect(peer, false, binary.substr(0, size));
    }
    for (int n = 0; n < 100; n++)
        send(peer, true, "message " + std::to_string(n));
    for (int n = 0; n < 100; n++)
        expect(peer, true, "message " + std::to_string(n));
    peer.text(true);
    for (std::string part : { "in ", "", "fragments" })
        peer.write_some(part == "fragments", boost::asio::buffer(part));
    expect(peer, true, "in fragments");
}

template <class Peer> static void talk(Peer &peer, const std::string &host, const std::string &path, bool deflate)
{
    websocket::response_type answer;
    bool ponged = false;
    if (deflate)
        offer_deflate(peer);
    peer.handshake(answer, host, path);
    std::cout << "agreed " << (answer.count(http::field::sec_websocket_extensions) ? "deflate" : "plain")
              << std::endl;
    exchange_all(peer);
    peer.control_callback([&](websocket::frame_type kind, beast::string_view payload) {
        ponged = ponged || (kind == websocket::frame_type::pong && payload == "there?");
    });
    peer.ping("there?");
    send(peer, true, "behind the pong");
    expect(peer, true, "behind the pong");
    require(ponged, "no pong");
    peer.close({ static_cast<websocket::close_code>(4000), "bye" });
    std::cout << "closed " << peer.reason().code << std::endl;
}

static void connect(int count, char **arguments)
{
    boost::asio::io_context io;
    std::string url = arguments[0];
    size_t host = url.find("://") + 3, colon = url.find(':', host), path = url.find('/', host);
    std::string name = url.substr(host, colon - host), port = url.substr(colon + 1, path - colon - 1);
    bool deflate = arguments[1] == std::string("deflate");
    tcp::socket socket(io);
    boost::asio::connect(socket, tcp::resolver(io).resolve(name, port));
    if (count > 2) {
        ssl::context tls(ssl::context::tls_client);
        tls.load_verify_file(arguments[2]);
        tls.set_verify_mode(ssl::verify_peer);
        tls.set_verify_callback(ssl::host_name_verification(name));
        Secure peer(std::move(socket), tls);
        peer.next_layer().handshake(ssl::stream_base::client);
        talk(peer, name + ":" + port, url.substr(path), deflate);
    } else {
        Plain peer(std::move(socket));
        talk(peer, name + ":" + port, url.substr(path), deflate);
    }
}

int main(int count, char **arguments)
{
    try {
        if (arguments[1] == std::string("server"))
            serve(count - 2, arguments + 2);
        else
            connect(count - 2, arguments + 2);
    } catch (const std::exception &error) {
        std::cerr << error.what() << std::endl;
        return 1;
    }
}
