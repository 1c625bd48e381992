// A network of the guest's own: a namespace with a loopback device, on which 169.254.169.254 is an
// address too, and nothing else. A port of it that is published is one of the host's loopback
// device: a relay, a process beside this one, accepts there and connects inside.
//
// The namespace has no name: it is gone with the last process in it and the last descriptor of it,
// so that none is ever left over. Where this user may not make one, it is made in a user namespace,
// in which the user stays who it is.
//
// Threads: the supervisor's only one; the relay is a process of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "port/small_file.h"

namespace standstill {

struct PublishedPort {
  uint16_t host = 0;  // 0: any that is free
  uint16_t guest = 0;
};

class GuestNetwork {
 public:
  struct Made {
    std::unique_ptr<GuestNetwork> network;
    std::string why_not;
  };
  // `serves_metadata`: with a socket that listens at port 80 of 169.254.169.254.
  static Made Make(bool serves_metadata, std::vector<PublishedPort> ports);

  // Moves the caller into it, for good: a child that is to be the guest. 0 or errno.
  int Enter() const;

  int metadata_fd() const { return metadata_.get(); }  // -1: none
  const std::vector<PublishedPort>& ports() const { return ports_; }

 private:
  std::string Publish();
  std::string Create(bool serves_metadata);
  std::string StartRelay() const;

  std::vector<PublishedPort> ports_;
  std::vector<Descriptor> listeners_;  // in the order of ports_
  Descriptor user_;                    // not open where this user needs no namespace of users
  Descriptor net_;
  Descriptor metadata_;
};

}  // namespace standstill
