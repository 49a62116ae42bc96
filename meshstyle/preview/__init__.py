"""Pictures for people: turntables and contact sheets, through OpenGL where there is any, else with rays.

Files in the order of the data: materials, scene, pose (what is drawn), orbit, lighting, backdrop (from where, in what
light, before what), gl_renderer, ray_renderer, choose (what draws it), stage (all of
that together), films, sheets (what becomes of the pictures), turntable (from a model's file to a film's).
"""
