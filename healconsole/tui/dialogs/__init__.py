"""Dialogs of the operator's acts: what is now, what will be, what happens next; then a reason.

Enter alone never acts, each act is applied only to the state that was shown, and the screen
behind shows its effect when the feed has read it back.
"""
