# frozen_string_literal: true

# Ruby's Dalli over TLS, logging in. The arguments: the port, the authority, user and password.
require "dalli"

PORT, AUTHORITY, USER, PASSWORD = ARGV
Dalli.logger.level = Logger::FATAL + 1

def client_with(password, context)
  login = { username: USER, password: password }
  Dalli::Client.new("localhost:#{PORT}", ssl_context: context, socket_timeout: 10, **login)
end

def trusting(file)
  context = OpenSSL::SSL::SSLContext.new
  context.set_params(ca_file: file, verify_mode: OpenSSL::SSL::VERIFY_PEER)
  context
end

client = client_with(PASSWORD, trusting(AUTHORITY))
value = "v" * 300_000
client.set("key", value, 0, raw: true)
raise "the value is another" unless client.get("key", raw: true) == value

# One by one: get_multi of Dalli 3.0 does not know its own TLS sockets.
200.times { |i| client.set("k#{i}", i) }
raise "values are missing" unless 200.times.all? { |i| client.get("k#{i}") == i }

client.close

# A wrong password over a good connection, and an authority that it does not know.
[["guess", trusting(AUTHORITY)], [PASSWORD, trusting(nil)]].each do |password, context|
  begin
    stranger = client_with(password, context)
    stranger.get("key")
    raise "a wrong login is taken"
  rescue Dalli::DalliError, OpenSSL::SSL::SSLError
    stranger.close
  end
end
puts "done"
