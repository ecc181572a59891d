# shellcheck shell=bash
_heal_f_unknown='' _heal_f_halted='' _heal_f_holder='' _heal_f_ttl='' _heal_fence='' _heal_lease_every=0
_heal_fleet_look() { :; }
_heal_lease_take() { :; }
_heal_lease_renew() { :; }
_heal_lease_drop() { :; }
